//! What the rows say: pure functions of rows.

mod curve;

pub use curve::{Curve, Point, curves};
