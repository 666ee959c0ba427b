//! Randomness is an argument: the caller hands a source, this room only asks it for bytes in few, larger gulps.

/// Fills the whole slice with random bytes; a service passes its `Ctx`'s entropy.
pub(crate) type Source<'a> = &'a mut dyn FnMut(&mut [u8]);

/// One gulp: a credential with ten claims takes one or two.
const GULP_BYTES: usize = 512;

/// Deals small pieces out of larger gulps, so that a source with a cost per call is called seldom.
pub(crate) struct Pool<'a> {
    source: Source<'a>,
    gulp: [u8; GULP_BYTES],
    used: usize,
}

impl<'a> Pool<'a> {
    pub(crate) fn new(source: Source<'a>) -> Self {
        Self { source, gulp: [0; GULP_BYTES], used: GULP_BYTES }
    }

    /// `N` ≤ 512 fresh bytes; none is dealt twice.
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= GULP_BYTES) };
        if self.used + N > GULP_BYTES {
            (self.source)(&mut self.gulp);
            self.used = 0;
        }
        let mut piece = [0; N];
        piece.copy_from_slice(&self.gulp[self.used..self.used + N]);
        self.used += N;
        piece
    }

    /// A number below `end`, each equally likely (rejection, so no modulo bias). `end` must not be 0.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        debug_assert!(end > 0);
        let fair = u32::MAX - u32::MAX % end;
        loop {
            let drawn = u32::from_be_bytes(self.take());
            if drawn < fair {
                return drawn % end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_is_dealt_twice_and_gulps_are_whole() {
        let mut next = 0u32;
        let mut source = |out: &mut [u8]| {
            assert_eq!(out.len(), GULP_BYTES);
            for chunk in out.chunks_exact_mut(4) {
                chunk.copy_from_slice(&next.to_be_bytes());
                next += 1;
            }
        };
        let mut pool = Pool::new(&mut source);
        let dealt: Vec<u32> = (0..300).map(|_| u32::from_be_bytes(pool.take())).collect();
        assert_eq!(dealt, (0..300).collect::<Vec<_>>());
    }

    #[test]
    fn a_draw_that_would_lean_is_thrown_away() {
        let mut draws = vec![5u32, u32::MAX].into_iter().cycle();
        let mut source = |out: &mut [u8]| {
            for chunk in out.chunks_exact_mut(4) {
                chunk.copy_from_slice(&draws.next().unwrap().to_be_bytes());
            }
        };
        let mut pool = Pool::new(&mut source);
        assert_eq!([pool.below(3), pool.below(3)], [2, 2]);
    }
}
