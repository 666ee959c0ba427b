//! Cover: how many cells a hop adds to each bucket, drawn exactly, with integers only (Canonne, Kamath and Steinke, "The Discrete
//! Gaussian for Differential Privacy", NeurIPS 2020, algorithms 1 to 3).
//!
//! ```text
//!   seed 32 ── X(seed, "noise") ──► AES-256-CTR ──► below(n) ──► Bernoulli(e^−γ) ──► discrete Laplace ──► discrete Gaussian
//!                                                                                            K ──► max(0, c + K) covers
//! ```
//! Invariants, by absence: no number here has a fraction part that a machine rounds; no draw depends on a load, since no load is
//! given. How long a draw takes may depend on its value: a hop sends at a fixed instant, which hides it.

pub mod decimal;
pub mod sample;

use crate::label;
use crypto::secret::Secret;
use sample::Stream;
use serde::{Deserialize, Serialize};

/// The largest shift c: one bucket of one hop then costs 20,000 covers a round, 10 MB, and a larger budget asks for fewer events.
pub const SHIFT_MAX: u32 = 20_000;

/// The largest σ²: within it every exact fraction of the sampler fits 128 bits. A shift of [`SHIFT_MAX`] belongs to about 10⁷.
pub const SIGMA2_MAX: u64 = 1 << 32;

/// The largest numerator and denominator of ε_b, for the same reason.
pub const EPSILON_TERM_MAX: u64 = 1 << 62;

/// The law that covers are drawn from, before the shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Mechanism {
    /// P(k) ∝ e^(−k²/2σ²).
    Gaussian {
        /// σ², a positive integer.
        sigma2: u64,
    },
    /// P(k) ∝ e^(−ε_b·|k|).
    Laplace {
        /// ε_b.
        epsilon_b: Ratio,
    },
}

/// A positive rational number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    /// Above the line.
    pub num: u64,
    /// Below the line.
    pub den: u64,
}

/// A mechanism and its shift: what a manifest states and every hop draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cover {
    mechanism: Mechanism,
    shift: u32,
}

/// Why a mechanism is not one that can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CoverError {
    /// σ² outside 1..=[`SIGMA2_MAX`].
    #[error("sigma2 {0} is not within 1..={SIGMA2_MAX}")]
    Sigma2(u64),
    /// A term of ε_b outside 1..=[`EPSILON_TERM_MAX`].
    #[error("epsilon_b {num}/{den} has a term that is not within 1..={EPSILON_TERM_MAX}")]
    Epsilon {
        /// Above the line.
        num: u64,
        /// Below the line.
        den: u64,
    },
    /// c over [`SHIFT_MAX`].
    #[error("the shift c = {0} is over {SHIFT_MAX}")]
    Shift(u64),
}

impl Cover {
    /// A mechanism within its bounds.
    ///
    /// # Errors
    /// [`CoverError`] names the figure that is out of bounds.
    pub fn new(mechanism: Mechanism, shift: u64) -> Result<Self, CoverError> {
        match mechanism {
            Mechanism::Gaussian { sigma2 } if !(1..=SIGMA2_MAX).contains(&sigma2) => {
                return Err(CoverError::Sigma2(sigma2));
            }
            Mechanism::Laplace { epsilon_b: Ratio { num, den } }
                if !(1..=EPSILON_TERM_MAX).contains(&num) || !(1..=EPSILON_TERM_MAX).contains(&den) =>
            {
                return Err(CoverError::Epsilon { num, den });
            }
            Mechanism::Gaussian { .. } | Mechanism::Laplace { .. } => {}
        }
        match u32::try_from(shift) {
            Ok(shift) if shift <= SHIFT_MAX => Ok(Self { mechanism, shift }),
            _ => Err(CoverError::Shift(shift)),
        }
    }

    /// The law before the shift.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The shift c.
    pub fn shift(&self) -> u32 {
        self.shift
    }

    /// One number of covers: max(0, c + K).
    pub fn draw(&self, stream: &mut Stream) -> u32 {
        let k = match self.mechanism {
            Mechanism::Gaussian { sigma2 } => stream.gaussian(sigma2),
            Mechanism::Laplace { epsilon_b } => stream.laplace(epsilon_b),
        };
        let covers = i64::from(self.shift).saturating_add(k).max(0);
        u32::try_from(covers).unwrap_or(u32::MAX)
    }
}

/// What one hop adds in one round: for each collect round in the batch, in their order, the covers of bucket 0, 1, …, B−1 and last
/// those of null. `seed` is fresh for the round and makes nothing else under the name "noise".
///
/// The hop draws before it opens its batch; nothing here could tell it apart from any other.
pub fn noise(seed: &Secret<[u8; 32]>, cover: &Cover, buckets: u16, collect_rounds: usize) -> Vec<Vec<u32>> {
    let mut stream = noise_stream(seed);
    let places = usize::from(buckets) + 1;
    let round = |stream: &mut Stream| (0..places).map(|_| cover.draw(stream)).collect();
    (0..collect_rounds).map(|_| round(&mut stream)).collect()
}

/// The stream of a round's seed that its noise is read from: AES-256-CTR, key X(seed, "noise").
pub fn noise_stream(seed: &Secret<[u8; 32]>) -> Stream {
    Stream::new(label::expand(seed, &[b"noise"]))
}
