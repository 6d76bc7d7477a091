// Runs packages of AOTInductor without Python: requests come on standard input, answers go to standard output.
//
// A request is the path of a package, weights by name that replace those it has, and its inputs; an answer is 0 and the
// outputs, or 1 and a text. Numbers are of 32 bits in the order of the machine, texts follow their length in bytes, and
// a tensor is its dimensions, the size of each, and its values in float32. A package stays loaded. The end of the
// input ends the program.
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using torch::inductor::AOTIModelPackageLoader;

struct Ended {};  // The other end of a pipe is gone.

int answers;  // What libraries print must not stand between the answers, whose descriptor is another.

void take(void* place, size_t size) {
  for (auto* at = static_cast<char*>(place); size > 0;) {
    const auto got = read(STDIN_FILENO, at, size);
    if (got <= 0) throw Ended();
    at += got;
    size -= got;
  }
}

void give(const void* place, size_t size) {
  for (auto* at = static_cast<const char*>(place); size > 0;) {
    const auto gone = write(answers, at, size);
    if (gone < 0) throw Ended();
    at += gone;
    size -= gone;
  }
}

uint32_t take_number() {
  uint32_t number;
  take(&number, sizeof number);
  return number;
}

void give_number(uint32_t number) { give(&number, sizeof number); }

std::string take_text() {
  std::string text(take_number(), '\0');
  take(text.data(), text.size());
  return text;
}

at::Tensor take_tensor() {
  std::vector<int64_t> sizes(take_number());
  for (auto& size : sizes) size = take_number();
  auto tensor = at::empty(sizes, at::kFloat);
  take(tensor.data_ptr<float>(), tensor.numel() * sizeof(float));
  return tensor;
}

void give_tensor(const at::Tensor& given) {
  const auto tensor = given.to(at::kFloat).contiguous();
  give_number(tensor.dim());
  for (const auto size : tensor.sizes()) give_number(size);
  give(tensor.data_ptr<float>(), tensor.numel() * sizeof(float));
}

std::vector<at::Tensor> take_tensors() {
  std::vector<at::Tensor> tensors(take_number());
  for (auto& tensor : tensors) tensor = take_tensor();
  return tensors;
}

using Packages = std::map<std::string, std::unique_ptr<AOTIModelPackageLoader>>;
using Weights = std::unordered_map<std::string, at::Tensor>;

Weights take_weights() {
  Weights weights;
  for (auto left = take_number(); left > 0; --left) {
    auto name = take_text();
    weights[name] = take_tensor();
  }
  return weights;
}

// Those of other names became part of the code, or are none of this model's.
void replace_weights(AOTIModelPackageLoader& package, const Weights& given) {
  Weights known;
  for (const auto& name : package.get_constant_fqns()) {
    if (const auto found = given.find(name); found != given.end()) known.insert(*found);
  }
  if (!known.empty()) package.load_constants(known, false, false);
}

void answer_one(Packages& loaded) {
  const auto path = take_text();
  const auto weights = take_weights();
  const auto inputs = take_tensors();
  try {
    auto& package = loaded[path];
    if (!package) package = std::make_unique<AOTIModelPackageLoader>(path);
    replace_weights(*package, weights);
    const auto outputs = package->run(inputs);
    give_number(0);
    give_number(outputs.size());
    for (const auto& output : outputs) give_tensor(output);
  } catch (const std::exception& error) {
    const std::string said = error.what();
    give_number(1);
    give_number(said.size());
    give(said.data(), said.size());
  }
}

}  // namespace

int main(int count, char** words) {
  answers = dup(STDOUT_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  if (count > 1) at::set_num_threads(atoi(words[1]));
  const c10::InferenceMode guard;
  Packages loaded;
  try {
    for (;;) answer_one(loaded);
  } catch (const Ended&) {
  }
}
