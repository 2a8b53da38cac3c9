import ApusSockets
import Foundation

/// Looks at the limits and settings of this machine that matter to a server with many connections.
struct MachineChecks {
    /// The connections that a server takes by default, and some files.
    private static let wantedFiles = 102_400
    /// What the server asks for when it listens.
    private static let backlog = 4096
    /// For a fast reader far away: 1 MiB on its way.
    private static let wantedBuffer = 1 << 20
    private static let wantedPorts = 16_384

    /// The most files that a process may open.
    let openFiles: Int?
    /// Reads a file of `/proc` or `/sys`.
    let read: (String) -> String?

    static func ofThisMachine() -> MachineChecks {
        var limits = rlimit()
        let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0
        return MachineChecks(openFiles: isKnown ? Int(clamping: limits.rlim_max) : nil, read: ProcFile.text)
    }

    func findings() -> [Finding] {
        [
            files(), backlog(), buffer("tcp_rmem", "received"), buffer("tcp_wmem", "sent"), socketMemory(), ports(),
            overcommit(), hugePages(), tracking(),
        ].compactMap { $0 }
    }

    private func setting(_ name: String) -> [Int]? {
        let path = "/proc/sys/" + name.split(separator: ".").joined(separator: "/")
        let numbers = read(path)?.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        return numbers?.isEmpty == false ? numbers : nil
    }

    private func files() -> Finding? {
        guard let openFiles else { return nil }
        let found = "\(Figures.grouped(openFiles)) at most"
        guard openFiles < Self.wantedFiles else { return .ok(.machine, "open files", found) }
        let why = "each connection takes one; beyond the limit clients wait unaccepted"
        let advice =
            "raise the hard limit for the server: LimitNOFILE=131072 in its systemd unit, --ulimit nofile=131072:131072 in "
            + "Docker, or /etc/security/limits.conf"
        return openFiles < 1024
            ? .fail(.machine, "open files", found, why: why, advice: advice)
            : .warn(.machine, "open files", found, why: why, advice: advice)
    }

    private func backlog() -> Finding? {
        guard let value = setting("net.core.somaxconn")?.first else { return nil }
        guard value < Self.backlog else { return .ok(.machine, "somaxconn", "\(value)") }
        return .warn(
            .machine,
            "somaxconn",
            "\(value)",
            why: "so many connections wait to be accepted; when all clients come back at once, others are turned away",
            advice: "sysctl -w net.core.somaxconn=\(Self.backlog), and the same in /etc/sysctl.d"
        )
    }

    private func buffer(_ name: String, _ what: String) -> Finding? {
        guard let values = setting("net.ipv4.\(name)"), values.count == 3 else { return nil }
        let found = "\(Figures.bytes(Double(values[1]))), up to \(Figures.bytes(Double(values[2])))"
        guard values[2] < Self.wantedBuffer else { return .ok(.machine, name, found) }
        return .warn(
            .machine,
            name,
            found,
            why: "what is \(what) on a connection waits here; a small one slows clients that are far away",
            advice: "sysctl -w net.ipv4.\(name)=\"\(values[0]) \(values[1]) 4194304\""
        )
    }

    /// Counted in pages, as the kernel does.
    private func socketMemory() -> Finding? {
        guard let values = setting("net.ipv4.tcp_mem"), values.count == 3 else { return nil }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let bytes = values.map { $0.multipliedReportingOverflow(by: page).partialValue }
        let found = "pressure from \(Figures.bytes(Double(bytes[1]))), at most \(Figures.bytes(Double(bytes[2])))"
        guard bytes[1] < 256 << 20 else { return .ok(.machine, "tcp_mem", found) }
        return .warn(
            .machine,
            "tcp_mem",
            found,
            why: "from there on the kernel shrinks the buffers of all connections, and slow readers stall sooner",
            advice: "give the machine more memory, or raise net.ipv4.tcp_mem"
        )
    }

    private func ports() -> Finding? {
        guard let range = setting("net.ipv4.ip_local_port_range"), range.count == 2 else { return nil }
        let count = range[1] - range[0] + 1
        let found = "\(range[0]) to \(range[1])"
        guard count < Self.wantedPorts else { return .ok(.machine, "local ports", found) }
        return .warn(
            .machine,
            "local ports",
            found,
            why: "a proxy or a load generator on this machine has so many connections to one address at most: \(count)",
            advice: "sysctl -w net.ipv4.ip_local_port_range=\"10240 65535\""
        )
    }

    private func overcommit() -> Finding? {
        guard let mode = setting("vm.overcommit_memory")?.first else { return nil }
        guard mode == 2 else { return .ok(.machine, "overcommit", mode == 0 ? "as the kernel thinks fit" : "always") }
        return .warn(
            .machine,
            "overcommit",
            "never (vm.overcommit_memory=2)",
            why: "memory that is only reserved counts as used, so the server can be refused some while there is enough",
            advice: "sysctl -w vm.overcommit_memory=0, or leave room by vm.overcommit_ratio"
        )
    }

    private func hugePages() -> Finding? {
        guard let text = read("/sys/kernel/mm/transparent_hugepage/enabled"),
            let mode = text.split(whereSeparator: \.isWhitespace).first(where: { $0.hasPrefix("[") })
        else { return nil }
        return .ok(.machine, "huge pages", "\(mode.dropFirst().dropLast())")
    }

    /// Only where the kernel tracks connections, for a firewall or NAT.
    private func tracking() -> Finding? {
        guard let most = setting("net.netfilter.nf_conntrack_max")?.first, most > 0 else { return nil }
        let used = setting("net.netfilter.nf_conntrack_count")?.first ?? 0
        let found = "\(Figures.grouped(used)) of \(Figures.grouped(most)) connections tracked"
        guard used * 10 >= most * 8 || most < Self.wantedFiles else { return .ok(.machine, "conntrack", found) }
        return .warn(
            .machine,
            "conntrack",
            found,
            why: "when the table of the firewall is full, new connections are dropped without a word",
            advice: "sysctl -w net.netfilter.nf_conntrack_max=262144"
        )
    }
}
