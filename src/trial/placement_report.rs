//! What the kernel granted: the CPUs of both sides, and how much of them.

use anyhow::Result;

use crate::os::cpus::Cpus;
use crate::os::quota;

use super::warning::Warning;

/// The CPUs as the kernel reports them, and not as they were asked for.
#[derive(Debug)]
pub struct PlacementReport {
    /// Those of the server; `None` where it is not ours.
    pub server: Option<Cpus>,
    /// Those of the clients.
    pub clients: Cpus,
    /// What a control group grants to both together, in CPUs.
    pub quota: Option<f64>,
    /// How many CPUs there were to choose from.
    pub available: usize,
}

impl PlacementReport {
    /// What is granted to the process `server` and to the calling thread, of so many CPUs.
    ///
    /// # Errors
    ///
    /// Where the server has ended.
    pub fn to(server: Option<u32>, available: usize) -> Result<Self> {
        Ok(PlacementReport {
            server: server.map(Cpus::of).transpose()?,
            clients: Cpus::of(0)?,
            quota: quota::of_this_process(),
            available,
        })
    }

    /// The CPUs of either side.
    pub fn all(&self) -> Cpus {
        self.server.as_ref().map_or_else(|| self.clients.clone(), |s| s.union(&self.clients))
    }

    /// The CPUs that both sides have, if there are any.
    pub fn shared(&self) -> Option<Cpus> {
        self.server.as_ref()?.shared_with(&self.clients)
    }

    /// The quota, where it is below the CPUs.
    pub fn lower_quota(&self) -> Option<f64> {
        self.quota.filter(|quota| *quota < self.all().count() as f64)
    }

    /// Where the two sides stand in each other's way, or are kept from their CPUs.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        match self.shared() {
            Some(_) if self.available == 1 => warnings.push(Warning::OneCpu),
            Some(shared) => warnings.push(Warning::SharedCpus(shared.to_string())),
            None => {}
        }
        if let Some(granted) = self.lower_quota() {
            warnings.push(Warning::Quota { granted, cpus: self.all().count() });
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(server: Option<&str>, clients: &str, quota: Option<f64>) -> Vec<Warning> {
        of(server, clients, quota, 4)
    }

    fn of(
        server: Option<&str>,
        clients: &str,
        quota: Option<f64>,
        available: usize,
    ) -> Vec<Warning> {
        let server = server.map(|list| list.parse().unwrap());
        PlacementReport { server, clients: clients.parse().unwrap(), quota, available }.warnings()
    }

    #[test]
    fn each_placement_that_misleads_has_its_warning() {
        assert_eq!(warnings(Some("0"), "1-3", None), []);
        assert_eq!(of(Some("0"), "0", None, 1), [Warning::OneCpu]);
        assert_eq!(warnings(Some("0"), "0", None), [Warning::SharedCpus("0".to_owned())]);
        assert_eq!(warnings(Some("0-1"), "1-2", None), [Warning::SharedCpus("1".to_owned())]);
        let quota = Warning::Quota { granted: 1.5, cpus: 2 };
        assert_eq!(warnings(Some("0"), "1", Some(1.5)), [quota]);
        assert_eq!(warnings(Some("0"), "1", Some(2.0)), []);
        assert_eq!(warnings(None, "0", None), []);
    }
}
