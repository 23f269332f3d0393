// Measures each row with a text of its own making, for a test of the text output: the row's text twice, beside the text
// itself; and of the columns that no example has.
import { Batch, Kind, Manifest, Plan, Plugin, Type, register } from "../assembly";
export * from "../assembly/exports";

class Text extends Plugin {
  manifest(): Manifest {
    return new Manifest(Kind.Extract, "text", "1");
  }

  plan(): Plan {
    return new Plan()
      .field("s", Type.Str)
      .field("a", Type.Any)
      .field("i", Type.I64)
      .field("b", Type.Bool)
      .point("row", ["text", "twice"])
      .point("kind")
      .point("integer")
      .point("true");
  }

  process(batch: Batch): string | null {
    const s = batch.column(0);
    const a = batch.column(1);
    const i = batch.column(2);
    const b = batch.column(3);
    for (let row: u32 = 0; row < batch.rows; row++) {
      const tuple = batch.tuple();
      batch.set(tuple, 0, s.slice(row));
      batch.set(tuple, 1, batch.copyString(s.text(row) + s.text(row)));
      batch.measure(row, 0, 1, tuple);
      batch.measure(row, 1, a.kind(row));
      if (i.valid(row)) batch.measure(row, 2, f64(i.i64(row)));
      if (b.bool(row)) batch.measure(row, 3);
    }
    return null;
  }
}

register(new Text());
