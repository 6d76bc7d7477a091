// TensorFlow.js of a folder of packages, computing with one of its backends.
"use strict";

const path = require("path");

// modules: the folder node_modules; backend: cpu or wasm; threads: of wasm, where the processor has what they need.
async function start(modules, backend, threads) {
  const tf = require(path.join(modules, "@tensorflow/tfjs"));
  if (backend === "wasm") {
    const wasm = require(path.join(modules, "@tensorflow/tfjs-backend-wasm"));
    wasm.setWasmPaths(path.join(modules, "@tensorflow/tfjs-backend-wasm/dist/"));
    wasm.setThreadsCount(threads);
  }
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no backend ${backend} here`);
  await tf.ready();
  return tf;
}

module.exports = { start };
