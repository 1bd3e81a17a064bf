//! What is written in a cluster, Kubernetes' and ours, as far as it is read here: the kinds, the autoscalers, the mark, the annotations, the
//! key, the objects, the numbers. The ground floor: it imports nothing from the rest of the house. Pure.

pub mod annotation;
pub mod autoscaler;
pub mod int_or_string;
pub(crate) mod json;
pub mod key;
pub mod kind;
pub mod labels;
pub mod mark;
pub mod metadata;
pub mod names;
pub mod object;
pub mod path;
pub mod reach;
pub mod reference;
pub mod replicas;
pub mod template;
pub(crate) mod text;
