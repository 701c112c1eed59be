//! OpenSSL's numbers with their names: results of certificate verification (X509_V_ERR_*) and reasons of TLS errors
//! (SSL_R_*). They are part of OpenSSL's ABI: x509_vfy.h and sslerr.h. Only those in use are listed.

macro_rules! codes {
    ($prefix:literal $($name:ident $number:literal)+) => {
        $(
            #[doc = concat!($prefix, stringify!($name))]
            pub const $name: i32 = $number;
        )+
    };
}

/// Results of certificate verification; `X509_verify_cert_error_string`(3) has the texts.
pub mod verify {
    codes! { "X509_V_ERR_"
        UNABLE_TO_GET_ISSUER_CERT 2
        UNABLE_TO_GET_CRL 3
        UNABLE_TO_DECRYPT_CRL_SIGNATURE 5
        CRL_SIGNATURE_FAILURE 8
        CERT_NOT_YET_VALID 9
        CERT_HAS_EXPIRED 10
        CRL_NOT_YET_VALID 11
        CRL_HAS_EXPIRED 12
        ERROR_IN_CERT_NOT_BEFORE_FIELD 13
        ERROR_IN_CERT_NOT_AFTER_FIELD 14
        ERROR_IN_CRL_LAST_UPDATE_FIELD 15
        ERROR_IN_CRL_NEXT_UPDATE_FIELD 16
        DEPTH_ZERO_SELF_SIGNED_CERT 18
        SELF_SIGNED_CERT_IN_CHAIN 19
        UNABLE_TO_GET_ISSUER_CERT_LOCALLY 20
        UNABLE_TO_VERIFY_LEAF_SIGNATURE 21
        CERT_REVOKED 23
        NO_ISSUER_PUBLIC_KEY 24
        INVALID_PURPOSE 26
        CERT_UNTRUSTED 27
        CERT_REJECTED 28
        AKID_SKID_MISMATCH 30
        AKID_ISSUER_SERIAL_MISMATCH 31
        KEYUSAGE_NO_CERTSIGN 32
        UNABLE_TO_GET_CRL_ISSUER 33
        KEYUSAGE_NO_CRL_SIGN 35
        UNHANDLED_CRITICAL_CRL_EXTENSION 36
        INVALID_NON_CA 37
        DIFFERENT_CRL_SCOPE 44
        PERMITTED_VIOLATION 47
        EXCLUDED_VIOLATION 48
        SUBTREE_MINMAX 49
        CRL_PATH_VALIDATION_ERROR 54
        HOSTNAME_MISMATCH 62
        IP_ADDRESS_MISMATCH 64
        EE_KEY_TOO_SMALL 66
        CA_KEY_TOO_SMALL 67
        CA_MD_TOO_WEAK 68
        INVALID_CA 79
        PATHLEN_INVALID_FOR_NON_CA 80
        PATHLEN_WITHOUT_KU_KEY_CERT_SIGN 81
        EXTENSIONS_REQUIRE_VERSION_3 93
        EC_KEY_EXPLICIT_PARAMS 94
    }
}

/// Reasons of TLS errors.
pub mod tls {
    codes! { "SSL_R_"
        NO_SUITABLE_KEY_SHARE 101
        HTTPS_PROXY_REQUEST 155
        HTTP_REQUEST 156
        NO_SHARED_CIPHER 193
        PEER_DID_NOT_RETURN_A_CERTIFICATE 199
        UNKNOWN_PROTOCOL 252
        UNSUPPORTED_PROTOCOL 258
        WRONG_VERSION_NUMBER 267
        UNEXPECTED_EOF_WHILE_READING 294
        UNSAFE_LEGACY_RENEGOTIATION_DISABLED 338
        VERSION_TOO_LOW 396
        SSLV3_ALERT_HANDSHAKE_FAILURE 1040
    }
}

#[cfg(test)]
mod tests {
    use super::verify;
    use crate::sys::verify_result;

    #[test]
    fn the_numbers_are_those_of_this_openssl() {
        for (code, text) in [
            (verify::UNABLE_TO_GET_CRL, "unable to get certificate CRL"),
            (verify::CERT_HAS_EXPIRED, "certificate has expired"),
            (verify::CERT_REVOKED, "certificate revoked"),
            (verify::HOSTNAME_MISMATCH, "hostname mismatch"),
            (verify::INVALID_CA, "invalid CA certificate"),
        ] {
            assert_eq!(verify_result(code).error_string(), text);
        }
    }
}
