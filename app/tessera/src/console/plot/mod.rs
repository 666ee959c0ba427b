//! Drawings as values: each a pure function of its data. A template writes them, with classes only, so the page's policy holds.

mod gauge;
mod signins;

pub use gauge::{Gauge, figure, gauge};
pub use signins::{Signins, signins};

/// Shapes of one drawing: what a page of 40 kB may carry.
pub const SHAPES_MAX: usize = 400;

/// A drawing, with what it says in words and in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Svg {
    /// Begins the ids of its title and description, which are unique on a page.
    pub id: &'static str,
    /// What it shows.
    pub title: String,
    /// What there is to be seen.
    pub desc: String,
    /// Width of its own units.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// Filled shapes, the lowest first.
    pub bars: Vec<Bar>,
    /// Lines.
    pub lines: Vec<Line>,
    /// Words in the drawing.
    pub labels: Vec<Label>,
    /// What each colour means: class and word.
    pub legend: Vec<(&'static str, String)>,
    /// The same in figures.
    pub table: Table,
}

/// A filled shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// Its class in the stylesheet.
    pub class: &'static str,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it begins.
    pub from: (u32, u32),
    /// Where it ends.
    pub to: (u32, u32),
}

/// Words in a drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// From the left.
    pub x: u32,
    /// From the top, of the line that the letters stand on.
    pub y: u32,
    /// `start`, `mid` or `end`: which end stands at `x`.
    pub class: &'static str,
    /// The words.
    pub text: String,
}

/// Figures under a drawing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub head: Vec<String>,
    /// Rows.
    pub rows: Vec<Vec<String>>,
}
