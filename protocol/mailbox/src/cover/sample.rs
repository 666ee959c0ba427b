//! The samplers: each reads bytes of a stream and nothing else, so that whoever is given the seed draws the same.
//!
//! How bytes become numbers is part of the protocol, since an audit round is recomputed by strangers: [`Stream::below`] reads the
//! fewest whole bytes that hold n − 1, as a big-endian number, clears the bits above n − 1's highest, and reads again while the number
//! is not below n.

use super::Ratio;
use crypto::ctr::KeyStream;
use crypto::secret::Secret;
use zeroize::Zeroize;

/// Bytes that are made at once: a round of few buckets takes one part, a round of many takes few.
const PART_BYTES: usize = 512;

/// A stream of pseudorandom bytes and the numbers read from it.
pub struct Stream {
    bytes: KeyStream,
    part: [u8; PART_BYTES],
    at: usize,
}

impl Stream {
    /// AES-256-CTR from block zero under a key that makes no other stream.
    pub fn new(key: Secret<[u8; 32]>) -> Self {
        let bytes = KeyStream::aes256(key.expose());
        drop(key);
        Self { bytes, part: [0; PART_BYTES], at: PART_BYTES }
    }

    /// The next `out.len()` bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            *byte = self.byte();
        }
    }

    /// A number below `n`, each as likely, by rejection.
    ///
    /// # Panics
    /// When `n` is zero: no number is below it.
    pub fn below(&mut self, n: u128) -> u128 {
        assert!(n > 0, "no number is below zero");
        let bits = 128 - (n - 1).leading_zeros();
        if bits <= 64 {
            return u128::from(self.below_small(n as u64, bits));
        }
        loop {
            let mut drawn = 0_u128;
            for _ in 0..bits.div_ceil(8) {
                drawn = drawn << 8 | u128::from(self.byte());
            }
            drawn &= u128::MAX >> (128 - bits);
            if drawn < n {
                return drawn;
            }
        }
    }

    /// True with probability `num / den`, where `num` ≤ `den`.
    pub fn bernoulli(&mut self, num: u128, den: u128) -> bool {
        self.below(den) < num
    }

    /// How many of `trials` succeed, each with probability `num / den` for itself, where `num` ≤ `den` and `den` ≤ 2¹²⁶: the exact binomial
    /// law. 64 trials at a time compare the binary digits of a uniform number of their own with those of num/den; the first digit that
    /// differs decides, and no fraction is ever cut off. The load of a simulation is drawn so; no hop draws it.
    pub fn successes(&mut self, trials: u64, num: u128, den: u128) -> u64 {
        let (mut found, mut left) = (0, trials);
        while left > 0 {
            let now = left.min(64);
            left -= now;
            let mut undecided = u64::MAX >> (64 - now);
            let mut rest = num;
            // With nothing left of the fraction its digits are zeros: whoever is not below it by now never is.
            while undecided != 0 && rest != 0 {
                rest *= 2;
                let digits = self.word();
                if rest >= den {
                    rest -= den;
                    found += u64::from((undecided & !digits).count_ones());
                    undecided &= digits;
                } else {
                    undecided &= !digits;
                }
            }
        }
        found
    }

    /// True with probability e^(−num/den) (algorithm 1). The caller keeps den·K within 128 bits for every K that comes up:
    /// den ≤ 2¹²⁰ does, as K > 255 has a probability below 10⁻⁵⁰⁰.
    pub fn bernoulli_exp(&mut self, num: u128, den: u128) -> bool {
        for _ in 0..num / den {
            if !self.bernoulli_exp_unit(1, 1) {
                return false;
            }
        }
        self.bernoulli_exp_unit(num % den, den)
    }

    /// The discrete Laplace law P(k) ∝ e^(−ε|k|) (algorithm 2).
    pub fn laplace(&mut self, epsilon: Ratio) -> i64 {
        let (s, t) = (u128::from(epsilon.num), u128::from(epsilon.den));
        loop {
            let u = self.below(t);
            if !self.bernoulli_exp_unit(u, t) {
                continue;
            }
            let mut v = 0_u128;
            while self.bernoulli_exp_unit(1, 1) {
                v += 1;
            }
            let magnitude = (u + t * v) / s;
            let negative = self.below(2) == 1;
            if negative && magnitude == 0 {
                continue;
            }
            // Beyond 2⁶² is beyond e^(−2⁶²·ε): whoever asks for such an ε is refused long before.
            let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX);
            return if negative { -magnitude } else { magnitude };
        }
    }

    /// The discrete Gaussian law P(k) ∝ e^(−k²/2σ²) (algorithm 3), for σ² within [`super::SIGMA2_MAX`].
    pub fn gaussian(&mut self, sigma2: u64) -> i64 {
        let t = sigma2.isqrt() + 1;
        let (sigma2, wide) = (u128::from(sigma2), u128::from(t));
        // (|y| − σ²/t)² / 2σ² = (|y|·t − σ²)² / (2σ²·t²)
        let den = 2 * sigma2 * wide * wide;
        loop {
            let y = self.laplace(Ratio { num: 1, den: t });
            let off = (u128::from(y.unsigned_abs()) * wide).abs_diff(sigma2);
            if self.bernoulli_exp(off * off, den) {
                return y;
            }
        }
    }

    /// True with probability e^(−γ), γ = num/den ≤ 1: the first K at which Bernoulli(γ/K) fails is odd.
    fn bernoulli_exp_unit(&mut self, num: u128, den: u128) -> bool {
        let mut k = 1_u128;
        while self.bernoulli(num, den * k) {
            k += 1;
        }
        k % 2 == 1
    }

    fn below_small(&mut self, n: u64, bits: u32) -> u64 {
        // n = 2⁶⁴ wraps to 0, and every number of 64 bits is below it.
        let mask = u64::MAX.checked_shr(64 - bits).unwrap_or(0);
        loop {
            let mut drawn = 0_u64;
            for _ in 0..bits.div_ceil(8) {
                drawn = drawn << 8 | u64::from(self.byte());
            }
            drawn &= mask;
            if drawn < n || n == 0 {
                return drawn;
            }
        }
    }

    /// 64 bits: eight whole bytes, big-endian.
    fn word(&mut self) -> u64 {
        if let Some(bytes) = self.part.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            self.at += 8;
            return u64::from_be_bytes(*bytes);
        }
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    fn byte(&mut self) -> u8 {
        if self.at == PART_BYTES {
            self.bytes.fill(&mut self.part);
            self.at = 0;
        }
        let byte = self.part[self.at];
        self.at += 1;
        byte
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.part.zeroize();
    }
}
