//! What the pages show, as plain data: made from [`Views`](crate::controller::view::Views), a query and
//! the time, without any HTML. All text in it is safe to look at; the templates make it safe to embed.

mod application;
mod applications;
mod badge;
mod query;
mod rollout;
mod text;
mod when;

pub use application::{
    ApplicationPage, ConditionRow, Fact, HistoryRow, ObjectGroup, ObjectRow, ObjectsPanel, SourceRow,
};
pub use applications::{ApplicationRow, ApplicationsPage, Column, Facet};
pub use badge::{Badge, Tone};
pub use query::{ListQuery, Pager, SortKey, path_segment};
pub use rollout::{CHART, Chart, GateItem, RolloutPanel, StepItem, rollout_badge};
pub use text::{Revision, visible, visible_line};
pub use when::When;

#[cfg(test)]
mod tests;
