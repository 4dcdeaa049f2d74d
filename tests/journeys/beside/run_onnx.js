// Runs an ONNX file on rows with onnxruntime alone: node run_onnx.js FOLDER_OF_MODULES model.onnx rows.json
// rows.json: {"inputs": {name: {"type": "float64" | "string" | "bool" | "int64", "data": [...]}}, "n": rows}
const [folder, model, rows] = process.argv.slice(2);
const ort = require(require("path").join(folder, "onnxruntime-node"));
const told = JSON.parse(require("fs").readFileSync(rows, "utf8"));

const arrays = {
  float64: (cells) => Float64Array.from(cells, (cell) => (cell === null ? NaN : cell)),
  int64: (cells) => BigInt64Array.from(cells, BigInt),
  bool: (cells) => Uint8Array.from(cells, Number),
  string: (cells) => cells,
};

async function main() {
  const session = await ort.InferenceSession.create(model);
  const feeds = {};
  for (const [name, { type, data }] of Object.entries(told.inputs)) {
    feeds[name] = new ort.Tensor(type, arrays[type](data), [told.n, 1]);
  }
  const found = await session.run(feeds);
  const plain = (cell) => (typeof cell === "bigint" ? Number(cell) : cell);
  const answers = Object.entries(found).map(([name, tensor]) => [name, { dims: tensor.dims, data: Array.from(tensor.data, plain) }]);
  console.log(JSON.stringify(Object.fromEntries(answers)));
}

main();
