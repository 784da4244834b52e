// Runs a model on one thread for bench -only embed. Each line of standard
// input is {"ids": [...], "times": n}; each line of output has the processor
// time of one run in milliseconds, and the pooled vector.
import { createInterface } from "node:readline";
import ort from "onnxruntime-node";

const session = await ort.InferenceSession.create(process.argv[2], {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  graphOptimizationLevel: "all",
});

for await (const line of createInterface({ input: process.stdin })) {
  const { ids, times } = JSON.parse(line);
  const tensor = (f) => new ort.Tensor("int64", BigInt64Array.from(ids, (id, i) => BigInt(f(id, i))), [1, ids.length]);
  const feeds = { ids: tensor((id) => id), places: tensor((_, i) => i) };
  let out = await session.run(feeds); // warms up
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) out = await session.run(feeds);
  const used = process.cpuUsage(before);
  console.log(JSON.stringify({ ms: (used.user + used.system) / 1000 / times, vector: Array.from(out.vector.data) }));
}
