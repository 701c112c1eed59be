//! The error for a network on the command line.

use super::error::CliError;
use crate::change::network::NetworkFault;

/// The error for the value `text` of `what`, an option or an argument. For a network with every address, `instead`
/// names the command for that purpose.
pub(super) fn wrong(what: &str, text: &str, fault: NetworkFault, instead: &str) -> CliError {
    CliError::Usage(match fault {
        NetworkFault::Everything => {
            format!("{what} cannot be '{text}', which is every address: {instead}")
        }
        fault => format!("{what} cannot be '{text}': {fault}"),
    })
}

#[cfg(test)]
mod tests {
    use super::wrong;
    use crate::change::network;

    #[test]
    fn what_is_refused_says_what_to_do_instead() {
        for (text, said) in [
            ("203.0.113.9/24", ": it has host bits; 203.0.113.0/24 is the network"),
            ("0.0.0.0/0", ", which is every address: do this"),
        ] {
            let error = wrong("NETWORK", text, network::parse(text).unwrap_err(), "do this").to_string();
            assert!(error.starts_with(&format!("NETWORK cannot be '{text}'{said}")), "{error}");
        }
    }
}
