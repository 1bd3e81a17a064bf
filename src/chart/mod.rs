//! What is generated for the chart out of the kinds and the rules: the webhook configurations and the policies. Nothing that
//! judges a request imports from here. Pure.

mod messages;
pub mod policies;
pub mod rows;
pub mod warnings;
pub mod webhooks;
