// Runs a graph model of TensorFlow.js: (pictures, state) -> (output, state). No arrays: how many tensors there are,
// once garbage was collected.
"use strict";

const fs = require("fs");
const path = require("path");
const { start } = require("./backend.js");
const { serve } = require("./pipe.js");

const [modules, folder, backend, threads] = process.argv.slice(2);

// TensorFlow.js loads files by itself in browsers alone.
function files() {
  const told = JSON.parse(fs.readFileSync(path.join(folder, "model.json")));
  const shards = told.weightsManifest.flatMap((group) => group.paths);
  const weights = Buffer.concat(shards.map((shard) => fs.readFileSync(path.join(folder, shard))));
  const { modelTopology, format, signature } = told;
  return {
    modelTopology,
    format,
    signature,
    weightSpecs: told.weightsManifest.flatMap((group) => group.weights),
    weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.length),
  };
}

serve(async () => {
  const tf = await start(modules, backend, Number(threads));
  const kept = files();
  const model = await tf.loadGraphModel({ load: async () => kept });
  const { inputs, outputs } = kept.signature;
  const names = ["output", "state"].map((name) => outputs[name].name);
  return ([pictures, state]) => {
    if (pictures === undefined) {
      global.gc();
      return [{ shape: [1], values: new Float32Array([tf.memory().numTensors]) }];
    }
    const given = {
      [inputs.pictures.name]: tf.tensor(pictures.values, pictures.shape),
      [inputs.state.name]: tf.tensor(state.values, state.shape),
    };
    const answers = model.execute(given, names);
    const found = answers.map((tensor) => ({ shape: tensor.shape, values: tensor.dataSync() }));
    // No collector of garbage frees a tensor.
    tf.dispose([given, answers]);
    return found;
  };
});
