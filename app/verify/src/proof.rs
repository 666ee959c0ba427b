//! `verify proof`: checks a proof file against the keys of a log, without any server.

use tlog::note::VerifierKey;
use tlog::proof_file::{ProofFile, ProofFileFault, ProofVerifyFault, Proven};

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofReport {
    /// Index that the file states.
    pub index: u64,
    /// What it proves, or why it proves nothing.
    pub verdict: Result<Proven, ProofVerifyFault>,
}

/// Checks the bytes of a proof file; the error says why they are none.
pub fn proof(bytes: &[u8], keys: &[VerifierKey]) -> Result<ProofReport, ProofFileFault> {
    let file = ProofFile::parse(bytes)?;
    Ok(ProofReport { index: file.index, verdict: file.verify(keys) })
}
