//! What a person reads of SG002: a rollout that could run a second Pod.

use crate::api::mark::MarkKey;
use crate::policy::violation::{Sg002, Words};

impl Words for Sg002 {
    fn field(&self, _: &MarkKey) -> String {
        match self {
            Self::Surges { .. } | Self::RollsStrict { .. } => "spec.strategy".to_owned(),
        }
    }

    fn sentence(&self, _: &MarkKey) -> String {
        match self {
            Self::Surges { requested } => {
                format!(
                    "is a singleton: spec.strategy must not run a second Pod during a rollout, requested {requested}"
                )
            }
            Self::RollsStrict { requested } => {
                format!("is strict: spec.strategy.type must be Recreate, requested {requested}")
            }
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::Surges { .. } => {
                r#"set spec.strategy to {"type":"Recreate","rollingUpdate":null}, or rollingUpdate.maxSurge to 0"#
            }
            Self::RollsStrict { .. } => r#"set spec.strategy to {"type":"Recreate","rollingUpdate":null}"#,
        }
    }
}
