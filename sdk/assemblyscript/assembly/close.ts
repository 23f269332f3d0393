// The export of a module that measures closed sessions too. Pass it on: export * from "pharos/assembly/close"
import { Batch } from "./batch";
import { answer } from "./guest";
import { plugin } from "./plugin";

export function pharos_close(batch: Batch): u32 {
  return answer(batch, plugin().close(batch));
}
