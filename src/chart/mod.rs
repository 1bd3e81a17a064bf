//! What is generated for the chart out of the kinds and the rules: the webhook configurations and the policies. Nothing that
//! judges a request imports from here. Pure.

pub mod policies;
pub mod warnings;
pub mod webhooks;
