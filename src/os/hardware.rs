//! Properties of the hardware and of the kernel that influence a measurement. A property that the
//! kernel does not report is `None`.

use std::fs;

use procfs::{ConfigSetting, Current, KernelConfig};

use super::cpus::Cpus;

/// Returns the groups of `cpus` and their siblings that share a core (SMT); empty if no core has
/// several CPUs.
pub fn smt_siblings(cpus: &Cpus) -> Option<Vec<Cpus>> {
    sibling_groups(cpus.numbers().iter().map(|cpu| read_cpu(*cpu, "topology/thread_siblings_list")))
}

/// Returns the clock source of the kernel, such as `tsc`.
pub fn clock_source() -> Option<String> {
    read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
}

/// Whether the kernel was built to measure the time of interrupts exactly
/// (`CONFIG_IRQ_TIME_ACCOUNTING`). If not, that time counts as CPU time of the interrupted thread.
pub fn irq_time_accounting() -> Option<bool> {
    KernelConfig::current().ok().map(|config| has_irq_time_accounting(&config))
}

/// Returns the distinct frequency governors of `cpus`, separated by commas.
pub fn frequency_governor(cpus: &Cpus) -> Option<String> {
    distinct(cpus.numbers().iter().filter_map(|cpu| read_cpu(*cpu, "cpufreq/scaling_governor")))
}

/// Returns the hypervisor that this machine runs on; `none` if it is a physical machine.
pub fn hypervisor() -> Option<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let dmi = |file: &str| read(&format!("/sys/class/dmi/id/{file}"));
    let product = [dmi("sys_vendor"), dmi("product_name")].into_iter().flatten();
    let product = product.collect::<Vec<_>>().join(" ");
    hypervisor_of(read("/sys/hypervisor/type").as_deref(), &cpuinfo, &product)
}

fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn read_cpu(cpu: usize, file: &str) -> Option<String> {
    read(&format!("/sys/devices/system/cpu/cpu{cpu}/{file}"))
}

/// `lists` has the CPUs of the core of each CPU, as in `thread_siblings_list`.
fn sibling_groups(lists: impl Iterator<Item = Option<String>>) -> Option<Vec<Cpus>> {
    let mut groups: Vec<Cpus> = Vec::new();
    for list in lists {
        let group: Cpus = list?.parse().ok()?;
        if group.count() > 1 && !groups.contains(&group) {
            groups.push(group);
        }
    }
    Some(groups)
}

fn has_irq_time_accounting(config: &KernelConfig) -> bool {
    config.0.get("CONFIG_IRQ_TIME_ACCOUNTING") == Some(&ConfigSetting::Yes)
}

fn distinct(values: impl Iterator<Item = String>) -> Option<String> {
    let mut all: Vec<String> = values.collect();
    all.sort();
    all.dedup();
    (!all.is_empty()).then(|| all.join(", "))
}

/// `kind` is the text of /sys/hypervisor/type, `product` the vendor and name of the machine (DMI).
fn hypervisor_of(kind: Option<&str>, cpuinfo: &str, product: &str) -> Option<String> {
    if let Some(kind) = kind {
        return Some(kind.to_owned());
    }
    // x86 only: other architectures have no such flag.
    let flags = cpuinfo.lines().find_map(|line| line.strip_prefix("flags")?.split_once(':'))?.1;
    Some(match flags.split_whitespace().any(|flag| flag == "hypervisor") {
        false => "none".to_owned(),
        true if product.is_empty() => "unnamed".to_owned(),
        true => product.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use procfs::FromRead;

    use super::*;

    #[test]
    fn cpus_of_one_core_are_a_group_and_each_group_is_listed_once() {
        let groups = |lists: &[&str]| {
            let lists = lists.iter().map(|list| Some((*list).to_owned()));
            let groups = sibling_groups(lists)?;
            Some(groups.iter().map(Cpus::to_string).collect::<Vec<_>>())
        };
        assert_eq!(groups(&["0,4", "1,5", "0,4"]), Some(vec!["0,4".to_owned(), "1,5".to_owned()]));
        assert_eq!(groups(&["0-1", "0-1"]), Some(vec!["0-1".to_owned()]));
        assert_eq!(groups(&["0", "1"]), Some(Vec::new()));
        assert_eq!(groups(&["0", "x"]), None);
        assert_eq!(sibling_groups([None].into_iter()), None);
    }

    #[test]
    fn irq_time_accounting_is_read_from_the_kernel_configuration() {
        let has = |text: &str| {
            has_irq_time_accounting(&KernelConfig::from_read(text.as_bytes()).unwrap())
        };
        assert!(has("CONFIG_HZ=250\nCONFIG_IRQ_TIME_ACCOUNTING=y\n"));
        assert!(!has(
            "CONFIG_HAVE_IRQ_TIME_ACCOUNTING=y\n# CONFIG_IRQ_TIME_ACCOUNTING is not set\n"
        ));
    }

    #[test]
    fn hypervisor_is_named_by_the_kernel_or_by_the_machine() {
        let [virtual_cpu, physical] = ["flags\t\t: fpu hypervisor lm\n", "flags\t\t: fpu lm\n"];
        let of = |kind, cpuinfo, product| hypervisor_of(kind, cpuinfo, product);
        assert_eq!(of(Some("xen"), virtual_cpu, "a b").as_deref(), Some("xen"));
        assert_eq!(of(None, virtual_cpu, "QEMU Standard PC").as_deref(), Some("QEMU Standard PC"));
        assert_eq!(of(None, virtual_cpu, "").as_deref(), Some("unnamed"));
        assert_eq!(of(None, physical, "Vendor Server").as_deref(), Some("none"));
        assert_eq!(of(None, "Features\t: fp asimd\n", "Vendor Server"), None);
        assert_eq!(of(None, "", ""), None);
    }

    #[test]
    fn distinct_governors_are_listed_once() {
        let of = |all: &[&str]| distinct(all.iter().map(|one| (*one).to_owned()));
        assert_eq!(
            of(&["schedutil", "performance", "schedutil"]).as_deref(),
            Some("performance, schedutil")
        );
        assert_eq!(of(&[]), None);
    }
}
