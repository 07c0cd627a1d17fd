//! CPUs and CPU quota of both sides, as the kernel reports them.

use anyhow::Result;

use crate::os::cpus::Cpus;
use crate::os::{hardware, quota};

use super::warning::Warning;

/// The CPUs that the kernel granted, which may differ from the CPUs that were requested.
#[derive(Debug)]
pub struct PlacementReport {
    /// CPUs of the server; `None` if its process is unknown.
    pub server: Option<Cpus>,
    /// CPUs of the clients.
    pub clients: Cpus,
    /// CPU time that a control group grants to both sides together, in CPUs.
    pub quota: Option<f64>,
    /// Number of CPUs that echometer may use.
    pub available: usize,
    /// Groups of CPUs of either side that share a core (SMT); empty if unknown.
    pub siblings: Vec<Cpus>,
}

impl PlacementReport {
    /// Reads the CPUs of the process `server` and of the calling thread.
    ///
    /// # Errors
    ///
    /// If the server has exited.
    pub fn read(server: Option<u32>, available: usize) -> Result<Self> {
        let mut placement = PlacementReport {
            server: server.map(Cpus::of).transpose()?,
            clients: Cpus::of(0)?,
            quota: quota::of_this_process(),
            available,
            siblings: Vec::new(),
        };
        placement.siblings = hardware::smt_siblings(&placement.all()).unwrap_or_default();
        Ok(placement)
    }

    /// The CPUs of both sides together.
    pub fn all(&self) -> Cpus {
        self.server.as_ref().map_or_else(|| self.clients.clone(), |s| s.union(&self.clients))
    }

    /// The CPUs that both sides use, if any.
    pub fn shared(&self) -> Option<Cpus> {
        self.server.as_ref()?.intersection(&self.clients)
    }

    /// The first core of which each side uses a CPU of its own, as the CPUs of that core.
    fn shared_core(&self) -> Option<&Cpus> {
        let server = self.server.as_ref().filter(|_| self.is_disjoint())?;
        let is_used_by = |side: &Cpus, core: &Cpus| side.intersection(core).is_some();
        let mut cores = self.siblings.iter();
        cores.find(|core| is_used_by(server, core) && is_used_by(&self.clients, core))
    }

    /// Whether the two sides are known to use different CPUs.
    pub fn is_disjoint(&self) -> bool {
        self.server.is_some() && self.shared().is_none()
    }

    /// The quota, if it is below the number of CPUs.
    pub fn limiting_quota(&self) -> Option<f64> {
        self.quota.filter(|quota| *quota < self.all().count() as f64)
    }

    /// Warns if the two sides compete for CPUs or are throttled.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        match self.shared() {
            Some(_) if self.available == 1 => warnings.push(Warning::OneCpu),
            Some(shared) => warnings.push(Warning::SharedCpus(shared.to_string())),
            None => {}
        }
        if let Some(core) = self.shared_core() {
            warnings.push(Warning::SmtSiblings(core.to_string()));
        }
        if let Some(granted) = self.limiting_quota() {
            warnings.push(Warning::Quota { granted, cpus: self.all().count() });
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(server: Option<&str>, clients: &str, quota: Option<f64>) -> Vec<Warning> {
        warnings_with_cpus(server, clients, quota, 4)
    }

    fn warnings_with_cpus(
        server: Option<&str>,
        clients: &str,
        quota: Option<f64>,
        available: usize,
    ) -> Vec<Warning> {
        let server = server.map(|list| list.parse().unwrap());
        let (clients, siblings) = (clients.parse().unwrap(), Vec::new());
        PlacementReport { server, clients, quota, available, siblings }.warnings()
    }

    #[test]
    fn sides_that_use_one_core_are_reported() {
        let warnings = |server: Option<&str>, clients: &str, siblings: &[&str]| {
            let parsed = |list: &str| list.parse::<Cpus>().unwrap();
            PlacementReport {
                server: server.map(parsed),
                clients: parsed(clients),
                quota: None,
                available: 4,
                siblings: siblings.iter().map(|list| parsed(list)).collect(),
            }
            .warnings()
        };
        let siblings = |cpus: &str| [Warning::SmtSiblings(cpus.to_owned())];
        assert_eq!(warnings(Some("0"), "1-3", &["0-1", "2-3"]), siblings("0-1"));
        assert_eq!(warnings(Some("0,2"), "3", &["0-1", "2-3"]), siblings("2-3"));
        assert_eq!(warnings(Some("0-1"), "2-3", &["0-1", "2-3"]), []);
        assert_eq!(warnings(Some("0"), "1", &[]), []);
        assert_eq!(warnings(None, "0-3", &["0-1", "2-3"]), []);
        // Sides that share CPUs have a more important warning.
        let shared = Warning::SharedCpus("0-1".to_owned());
        assert_eq!(warnings(Some("0-1"), "0-1", &["0-1"]), [shared]);
    }

    #[test]
    fn shared_cpus_and_low_quotas_are_reported() {
        assert_eq!(warnings(Some("0"), "1-3", None), []);
        assert_eq!(warnings_with_cpus(Some("0"), "0", None, 1), [Warning::OneCpu]);
        assert_eq!(warnings(Some("0"), "0", None), [Warning::SharedCpus("0".to_owned())]);
        assert_eq!(warnings(Some("0-1"), "1-2", None), [Warning::SharedCpus("1".to_owned())]);
        let quota = Warning::Quota { granted: 1.5, cpus: 2 };
        assert_eq!(warnings(Some("0"), "1", Some(1.5)), [quota]);
        assert_eq!(warnings(Some("0"), "1", Some(2.0)), []);
        assert_eq!(warnings(None, "0", None), []);
    }
}
