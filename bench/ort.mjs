// SPDX-License-Identifier: Apache-2.0
// Latency of one model in ONNX Runtime (CPU), batch 1, as a peer. Prints one JSON line.
// usage: node ort.mjs FOLDER_WITH_NODE_MODULES MODEL THREADS RUNS
import { createRequire } from 'node:module';
const [folder, model, threads, runs] = process.argv.slice(2);
const ort = createRequire(folder + '/')('onnxruntime-node');
const session = await ort.InferenceSession.create(model, {
  intraOpNumThreads: Number(threads), interOpNumThreads: 1, graphOptimizationLevel: 'all',
});
let state = 1;
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 4294967296;
const feeds = {};
for (const input of session.inputMetadata) {
  const dims = input.shape.map((d) => (typeof d === 'number' && d > 0 ? d : 1));
  feeds[input.name] = new ort.Tensor('float32', Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, random), dims);
}
for (let i = 0; i < 10; i++) await session.run(feeds);
const ms = [];
for (let i = 0; i < Number(runs); i++) {
  const start = process.hrtime.bigint();
  await session.run(feeds);
  ms.push(Number(process.hrtime.bigint() - start) / 1e6);
}
ms.sort((a, b) => a - b);
console.log(JSON.stringify({ median_ms: ms[ms.length >> 1], min_ms: ms[0], runs: ms.length }));
