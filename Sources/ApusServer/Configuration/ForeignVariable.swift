/// Variables that have the name of a setting, but were set by another program for another purpose.
enum ForeignVariable {
    /// Whether a variable is one that Kubernetes (or Docker before it) sets for a service named `apus` or similar.
    ///
    /// For a service named `apus`: `APUS_SERVICE_HOST`, `APUS_SERVICE_PORT`, `APUS_SERVICE_PORT_HTTP`,
    /// `APUS_PORT=tcp://10.0.0.1:8080`, `APUS_PORT_8080_TCP`, `APUS_PORT_8080_TCP_ADDR`, …; for a service named
    /// `apus-eu` the same with `APUS_EU`.
    static func isServiceLink(_ name: String, value: String) -> Bool {
        let words = name.split(separator: "_")
        if words.suffix(2) == ["SERVICE", "HOST"] { return true }
        for index in words.indices.dropFirst() {
            if words[index] == "PORT", words[index - 1] == "SERVICE" { return true }
            if protocols.contains(words[index].lowercased()), index >= 2, words[index - 2] == "PORT",
                Int(words[index - 1]) != nil
            {
                return true
            }
        }
        return words.last == "PORT" && isServiceAddress(value)
    }

    private static let protocols: Set = ["tcp", "udp", "sctp"]

    /// Whether a value is an address as in service links: `tcp://10.0.0.1:8080`.
    static func isServiceAddress(_ value: String) -> Bool {
        guard let scheme = value.firstRange(of: "://") else { return false }
        return protocols.contains(value[..<scheme.lowerBound].lowercased())
    }

    /// Whether a value is a platform name, as conda and compilers set `HOST`: `x86_64-conda-linux-gnu`.
    static func isPlatform(_ value: String) -> Bool {
        let parts = value.split(separator: "-", omittingEmptySubsequences: false)
        guard (3...5).contains(parts.count), let processor = parts.first?.lowercased() else { return false }
        return processors.contains { processor.hasPrefix($0) }
            && parts.contains { part in
                systems.contains { part.lowercased().hasPrefix($0) }
            }
    }

    private static let processors = [
        "x86_64", "i386", "i486", "i586", "i686", "amd64", "aarch64", "arm", "powerpc", "ppc", "s390", "riscv", "mips",
        "loongarch", "wasm",
    ]
    private static let systems = [
        "linux", "darwin", "macos", "windows", "w64", "freebsd", "netbsd", "openbsd", "wasi", "gnu",
    ]

    /// Why an environment value is not meant for the setting, as a phrase that follows "is ignored:"; `nil` if it may
    /// be meant for it.
    static func reason(_ value: String, for setting: Setting) -> String? {
        guard ["host", "port"].contains(setting.key) else { return nil }
        if isServiceAddress(value) { return "it is the address of a service, as Kubernetes sets it for each" }
        if setting.key == "host", isPlatform(value) { return "it is the name of a platform, and no address" }
        return nil
    }
}
