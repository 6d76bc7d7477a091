// Messages of arrays through pipes, as workloads/conversion/child.py has them: this is the child's side.
"use strict";

// Whatever is printed goes to standard error: standard output is for messages alone.
for (const kind of ["log", "info", "debug"]) console[kind] = console.error;

const INT = 4;

// Standard input, in pieces of as many bytes as are asked for; null once it has ended.
function reader(input) {
  const chunks = input[Symbol.asyncIterator]();
  let held = [];
  let size = 0;
  return async (count) => {
    while (size < count) {
      const { value, done } = await chunks.next();
      if (done) return null;
      held.push(value);
      size += value.length;
    }
    const all = held.length === 1 ? held[0] : Buffer.concat(held, size);
    held = all.length > count ? [all.subarray(count)] : [];
    size = all.length - count;
    return all.subarray(0, count);
  };
}

async function ints(exactly, count) {
  const bytes = await exactly(INT * count);
  return bytes && Array.from({ length: count }, (_, place) => bytes.readInt32LE(INT * place));
}

async function arrayOf(exactly) {
  const [dimensions] = await ints(exactly, 1);
  const shape = await ints(exactly, dimensions);
  const bytes = await exactly(INT * shape.reduce((one, other) => one * other, 1));
  // A copy: what was read may begin anywhere, and an array of floats may not.
  return { shape, values: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)) };
}

function head(numbers) {
  const bytes = Buffer.alloc(INT * numbers.length);
  numbers.forEach((number, place) => bytes.writeInt32LE(number, INT * place));
  return bytes;
}

function send(arrays) {
  const parts = arrays.flatMap(({ shape, values }) => [
    head([shape.length, ...shape]),
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  ]);
  process.stdout.write(Buffer.concat([head([arrays.length]), ...parts]));
}

function fail(error) {
  console.error(error);
  const said = Buffer.from(String(error));
  process.stdout.write(Buffer.concat([head([-said.length]), said]), () => process.exit(1));
}

// Make ready, then answer each message, until standard input ends. make() -> answer; answer(arrays) -> arrays.
async function serve(make) {
  try {
    const exactly = reader(process.stdin);
    const answer = await make();
    send([]);
    for (let count = await ints(exactly, 1); count !== null; count = await ints(exactly, 1)) {
      const arrays = [];
      for (let place = 0; place < count[0]; place++) arrays.push(await arrayOf(exactly));
      send(await answer(arrays));
    }
  } catch (error) {
    fail(error);
  }
}

module.exports = { serve };
