// The exports of a module. Pass them on: export * from "pharos/assembly/exports"
import { Batch } from "./batch";
import { accept, alloc, answer, fail, give, lastError } from "./guest";
import { Json } from "./json";
import { Config, plugin } from "./plugin";
import { slice } from "./slice";

export function pharos_abi(): u32 {
  return 1;
}

export function pharos_manifest(): u64 {
  return give(plugin().manifest().json());
}

export function pharos_alloc(size: u32, align: u32): usize {
  return alloc(size);
}

export function pharos_configure(at: usize, len: u32): u32 {
  const error = plugin().configure(new Config(new Json(slice(at, len))));
  return error ? fail(error) : accept();
}

export function pharos_plan(): u64 {
  return give(plugin().plan().json());
}

export function pharos_process(batch: Batch): u32 {
  return answer(batch, plugin().process(batch));
}

export function pharos_error(): u64 {
  return give(lastError());
}
