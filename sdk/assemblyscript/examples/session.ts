// Measures orders, which of them are not the first of their session, and, when a session with orders has ended, what was
// spent and how long it took.
import { Batch, Kind, Manifest, Plan, Plugin, Type, equal, register, utf8 } from "../assembly";
export * from "../assembly/exports";
export * from "../assembly/close";

enum Columns { Type, Price }
enum Points { Order, RepeatOrder, SessionSpent, SessionSeconds }
enum Cells { Orders, Spent }

const ORDER = utf8("order");

class Orders extends Plugin {
  manifest(): Manifest {
    const m = new Manifest(Kind.Extract, "orders", "1.0.0");
    m.description = "Orders, and what sessions with orders spent.";
    m.schema = '{"type":"object","additionalProperties":false}';
    return m;
  }

  plan(): Plan {
    return new Plan()
      .field("type", Type.Str)
      .field("price", Type.F64)
      .point("order")
      .point("repeat_order")
      .point("session_spent")
      .point("session_seconds")
      .cell("orders", Type.I64)
      .cell("spent", Type.F64);
  }

  process(batch: Batch): string | null {
    const type = batch.column(Columns.Type);
    const price = batch.column(Columns.Price);
    for (let row: u32 = 0; row < batch.rows; row++) {
      if (!equal(type.slice(row), ORDER) || !price.valid(row)) continue;
      const orders = batch.cellI64(Cells.Orders, row);
      batch.measure(row, Points.Order, price.f64(row));
      if (orders > 0) batch.measure(row, Points.RepeatOrder);
      batch.setCellI64(Cells.Orders, row, orders + 1);
      batch.setCellF64(Cells.Spent, row, batch.cellF64(Cells.Spent, row) + price.f64(row));
    }
    return null;
  }

  // Rows are sessions here.
  close(batch: Batch): string | null {
    for (let row: u32 = 0; row < batch.rows; row++) {
      if (batch.counted(row, Points.Order) == 0) continue;
      batch.measure(row, Points.SessionSpent, batch.cellF64(Cells.Spent, row));
      batch.measure(row, Points.SessionSeconds, f64(batch.last(row) - batch.first(row)) / 1000);
    }
    return null;
  }
}

register(new Orders());
