//! Users that are no kubelets and still have the last word about the Pods of their nodes, as a kubelet has: virtual
//! kubelets, KWOK, kubelets with other credentials. The setting `strict.nodeUsers` names them; the policies are made from
//! the same value (`_node-users.tpl` in the chart).
//!
//! Whoever is named here can let two processes of a strict singleton run. So nothing is accepted that means more users
//! than somebody has read: no pattern, and no group but the service accounts of one namespace.

use serde::de::{Deserialize, Deserializer, Error};

use crate::api::mark::{is_dns_label, is_dns_subdomain};

/// All of them; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct NodeUsers(Vec<NodeUser>);

#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "Entry")]
struct NodeUser {
    who: Who,
    /// What the names of its nodes begin with; `None` for all nodes.
    prefixes: Option<Vec<NodePrefix>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    User(UserName),
    Group(GroupName),
}

/// An entry as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Entry {
    user: Option<UserName>,
    group: Option<GroupName>,
    #[serde(default, deserialize_with = "some_prefixes")]
    node_name_prefixes: Option<Vec<NodePrefix>>,
}

/// The whole name of a user.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
struct UserName(String);

/// The group of the service accounts of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
struct GroupName(String);

#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
struct NodePrefix(String);

impl NodeUsers {
    /// Whether somebody who is authenticated so speaks for this node.
    #[must_use]
    pub fn speak_for(&self, node: &str, user: &str, groups: &[&str]) -> bool {
        self.0.iter().any(|NodeUser { who, prefixes }| {
            let is_meant = match who {
                Who::User(UserName(name)) => name == user,
                Who::Group(GroupName(name)) => groups.contains(&name.as_str()),
            };
            let is_its_node = |prefixes: &Vec<NodePrefix>| prefixes.iter().any(|prefix| node.starts_with(&prefix.0));
            is_meant && prefixes.as_ref().is_none_or(is_its_node)
        })
    }
}

impl TryFrom<Entry> for NodeUser {
    type Error = &'static str;

    fn try_from(entry: Entry) -> Result<Self, &'static str> {
        let Entry { user, group, node_name_prefixes: prefixes } = entry;
        let who = match (user, group) {
            (Some(user), None) => Who::User(user),
            (None, Some(group)) => Who::Group(group),
            _ => return Err("must have a user or a group, and not both: each has an entry of its own"),
        };
        Ok(Self { who, prefixes })
    }
}

impl TryFrom<String> for UserName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let problem = if GROUPS.contains(&name.as_str()) || name.starts_with(SERVICE_ACCOUNTS) {
            "is a group: write it as group if it is that of the ServiceAccounts of one namespace, and name each user otherwise"
        } else if name == "system:anonymous" {
            "is everybody without credentials: name the user that the API server's audit log shows for the node"
        } else if name.starts_with(NODE_USER) {
            "is the user of a kubelet, which needs no entry for the Pods of its own node and must not end those of others: leave it out"
        } else if name.strip_prefix(SERVICE_ACCOUNT).is_some_and(|account| !is_service_account(account)) {
            "is no ServiceAccount: right is system:serviceaccount:NAMESPACE:NAME"
        } else if name.is_empty() || name.contains('*') || name.chars().any(char::is_control) {
            "is not the whole name of a user; patterns are not supported"
        } else {
            return Ok(Self(name));
        };
        Err(format!("{name:?} {problem}"))
    }
}

impl TryFrom<String> for GroupName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let namespace = name.strip_prefix(SERVICE_ACCOUNTS).and_then(|rest| rest.strip_prefix(':'));
        if namespace.is_some_and(is_dns_label) {
            return Ok(Self(name));
        }
        Err(format!(
            "{name:?} is not the ServiceAccounts of one namespace: right is system:serviceaccounts:NAMESPACE; anybody else is named as user"
        ))
    }
}

impl TryFrom<String> for NodePrefix {
    type Error = String;

    fn try_from(prefix: String) -> Result<Self, String> {
        // With one more letter it has to be a name: a prefix may end with a dash or a dot.
        if !prefix.is_empty() && is_dns_subdomain(&format!("{prefix}a")) {
            return Ok(Self(prefix));
        }
        Err(format!(
            "{prefix:?} is not how the name of a node begins: lowercase letters, digits, '-' and '.' only; patterns are not supported"
        ))
    }
}

fn some_prefixes<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Vec<NodePrefix>>, D::Error> {
    let prefixes = Vec::deserialize(value)?;
    if prefixes.is_empty() {
        return Err(D::Error::custom("is empty: name a prefix, or leave it out for all nodes"));
    }
    Ok(Some(prefixes))
}

fn is_service_account(account: &str) -> bool {
    account.split_once(':').is_some_and(|(namespace, name)| is_dns_label(namespace) && is_dns_subdomain(name))
}

/// What the name of a kubelet's user begins with (node authorization); its node's name follows.
pub const NODE_USER: &str = "system:node:";
/// What the name of a service account's user begins with; namespace and name follow.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
/// The group of all service accounts, and what those of one namespace begin with.
const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";
/// Groups that Kubernetes itself gives users (`apiserver/pkg/authentication/user`), written as a user.
const GROUPS: [&str; 5] =
    ["system:masters", "system:authenticated", "system:unauthenticated", "system:nodes", "system:monitoring"];
