//! What the benches measure with: captures made to order, and the least that reading one can cost.
//!
//! - [`generator`] writes captures of mail, and says what is in them
//! - [`floor`] reads, walks and slices a capture and finds its line ends, and knows nothing of mail

pub mod floor;
pub mod generator;
