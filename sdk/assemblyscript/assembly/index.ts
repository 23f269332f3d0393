// Writes Pharos plugins (ABI version 1, abi/SPEC.md) in AssemblyScript. A plugin is a class that is registered, in a file
// that passes on the exports:
//
//   import { Batch, Config, Plan, Plugin, register } from "pharos";
//   export * from "pharos/assembly/exports";
//
//   class Mine extends Plugin { … }
//   register(new Mine());
//
// What it answers for a row must depend on the config, the data files, that row and its session's cells only: the host
// splits, joins and repeats batches.

export { Batch } from "./batch";
export { Column, ValueKind } from "./column";
export { Json } from "./json";
export { Config, Kind, Manifest, Plugin, register } from "./plugin";
export { Plan, Type } from "./plan";
export { Slice, equal, hasPrefix, length, text, utf8 } from "./slice";
