//! Errors that a wallet answers instead of a presentation (OpenID4VP 1.0, 8.5).

/// Why a wallet gave no presentation. Codes it may invent are kept as [`WalletError::Other`], so that no text of a stranger
/// travels on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WalletError {
    /// The holder declined, or nothing matched; a wallet does not say which.
    AccessDenied,
    /// The request cannot be read or breaks a rule.
    InvalidRequest,
    /// The client is not who the request says.
    InvalidClient,
    /// The scope of the request is unknown.
    InvalidScope,
    /// The wallet has none of the formats.
    VpFormatsNotSupported,
    /// The wallet does not take a POST to `request_uri`.
    InvalidRequestUriMethod,
    /// Transaction data of an unknown type, or malformed.
    InvalidTransactionData,
    /// The wallet cannot be reached.
    WalletUnavailable,
    /// A code outside the standard.
    Other,
}

impl WalletError {
    /// Reads a code.
    #[must_use]
    pub fn parse(code: &str) -> WalletError {
        const KNOWN: [WalletError; 8] = [
            WalletError::AccessDenied,
            WalletError::InvalidRequest,
            WalletError::InvalidClient,
            WalletError::InvalidScope,
            WalletError::VpFormatsNotSupported,
            WalletError::InvalidRequestUriMethod,
            WalletError::InvalidTransactionData,
            WalletError::WalletUnavailable,
        ];
        KNOWN.into_iter().find(|known| known.as_str() == code).unwrap_or(WalletError::Other)
    }

    /// The code as it travels; `other` for what the standard does not know.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            WalletError::AccessDenied => "access_denied",
            WalletError::InvalidRequest => "invalid_request",
            WalletError::InvalidClient => "invalid_client",
            WalletError::InvalidScope => "invalid_scope",
            WalletError::VpFormatsNotSupported => "vp_formats_not_supported",
            WalletError::InvalidRequestUriMethod => "invalid_request_uri_method",
            WalletError::InvalidTransactionData => "invalid_transaction_data",
            WalletError::WalletUnavailable => "wallet_unavailable",
            WalletError::Other => "other",
        }
    }
}
