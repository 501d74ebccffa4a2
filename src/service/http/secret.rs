//! The secrets that a connection has sent, so that no answer can bring one back into a message.

use std::sync::{Mutex, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};

/// Shorter secrets would take common words out of messages.
const SHORTEST: usize = 4;

/// Every secret of one connection: the credentials and the tokens made from them.
#[derive(Default)]
pub(super) struct Secrets(Mutex<Vec<SecretString>>);

impl Secrets {
    pub(super) fn add(&self, secret: &SecretString) {
        if secret.expose_secret().len() >= SHORTEST {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(secret.clone());
        }
    }

    /// The text with every secret taken out, as it is and as JSON writes it.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let plain = secret.expose_secret();
            let json = serde_json::Value::from(plain).to_string();
            for form in [plain, json.trim_matches('"')] {
                if text.contains(form) {
                    text = text.replace(form, "[secret]");
                }
            }
        }
        text
    }
}
