//! Measures orders, which of them are not the first of their session, and, when a session with orders has ended, what was
//! spent and how long it took.
#![cfg_attr(target_arch = "wasm32", no_std)]

use pharos::{equal, Batch, Config, Error, Kind, Manifest, Plan, Plugin, Type};

// Columns.
const TYPE: usize = 0;
const PRICE: usize = 1;

// Points.
const ORDER: usize = 0;
const REPEAT_ORDER: usize = 1;
const SESSION_SPENT: usize = 2;
const SESSION_SECONDS: usize = 3;

// Cells.
const ORDERS: usize = 0;
const SPENT: usize = 1;

struct Orders;

impl Plugin for Orders {
    const MANIFEST: Manifest = Manifest {
        kind: Kind::Extract,
        name: "orders",
        version: "1.0.0",
        description: "Orders, and what sessions with orders spent.",
        schema: r#"{"type":"object","additionalProperties":false}"#,
    };

    fn configure(_: &Config) -> Result<Self, Error> {
        Ok(Orders)
    }

    fn plan(&self) -> Plan {
        Plan::new()
            .field("type", Type::Str)
            .field("price", Type::F64)
            .point("order", &[])
            .point("repeat_order", &[])
            .point("session_spent", &[])
            .point("session_seconds", &[])
            .cell("orders", Type::I64)
            .cell("spent", Type::F64)
    }

    fn process(&mut self, batch: &Batch) -> Result<(), Error> {
        let (kind, price) = (batch.column(TYPE), batch.column(PRICE));
        let (orders, spent) = (batch.cell::<i64>(ORDERS), batch.cell::<f64>(SPENT));
        for row in 0..batch.rows() {
            if !equal(kind.entry(row), b"order") || !price.valid(row) {
                continue;
            }
            batch.measure(row, ORDER, price.f64(row), &[]);
            if orders.get(row) > 0 {
                batch.measure(row, REPEAT_ORDER, 1.0, &[]);
            }
            orders.set(row, orders.get(row) + 1);
            spent.set(row, spent.get(row) + price.f64(row));
        }
        Ok(())
    }

    // Rows are sessions here.
    fn close(&mut self, batch: &Batch) -> Result<(), Error> {
        let spent = batch.cell::<f64>(SPENT);
        for row in 0..batch.rows() {
            if batch.counted(row, ORDER) > 0 {
                batch.measure(row, SESSION_SPENT, spent.get(row), &[]);
                batch.measure(row, SESSION_SECONDS, (batch.last(row) - batch.first(row)) as f64 / 1000.0, &[]);
            }
        }
        Ok(())
    }
}

pharos::export!(Orders, close);

#[cfg(test)]
#[test]
fn golden() {
    pharos::testing::golden::<Orders>(include_str!("session.golden.ndjson"));
}
