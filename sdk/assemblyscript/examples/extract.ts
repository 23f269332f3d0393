// Measures image clicks with the image and its slot, and counts what has none.
import { Batch, Kind, Manifest, Plan, Plugin, Type, length, register, utf8 } from "../assembly";
export * from "../assembly/exports";

enum Columns { Type, Image, Slot, Weight }
enum Points { Click, ClickWeight }
enum Counters { WithoutImage }

const CLICK = utf8("click");

class Images extends Plugin {
  manifest(): Manifest {
    const m = new Manifest(Kind.Extract, "images", "1.0.0");
    m.description = "Image clicks by image and slot.";
    m.schema = '{"type":"object","additionalProperties":false}';
    return m;
  }

  plan(): Plan {
    return new Plan()
      .dict("type")
      .field("img.id", Type.Str)
      .field("img.slot", Type.Str)
      .field("weight", Type.F64)
      .point("image_click", ["image", "slot"])
      .point("image_weight")
      .counter("without_image");
  }

  process(batch: Batch): string | null {
    const type = batch.column(Columns.Type);
    const image = batch.column(Columns.Image);
    const slot = batch.column(Columns.Slot);
    const weight = batch.column(Columns.Weight);
    const click = type.find(CLICK);
    if (click < 0) return null;
    for (let row: u32 = 0; row < batch.rows; row++) {
      if (type.code(row) != u32(click) || !type.valid(row)) continue;
      const id = image.slice(row);
      const at = slot.slice(row);
      let tuple: u32 = 0;
      if (length(id) > 0 || length(at) > 0) {
        tuple = batch.tuple();
        batch.set(tuple, 0, id);
        batch.set(tuple, 1, at);
      } else {
        batch.count(Counters.WithoutImage);
      }
      batch.measure(row, Points.Click, 1, tuple);
      if (weight.valid(row)) batch.measure(row, Points.ClickWeight, weight.f64(row));
    }
    return null;
  }
}

register(new Images());
