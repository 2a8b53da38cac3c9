import ApusProtocol
import NIOHTTP1
import Testing

@testable import ApusClient
@testable import apus

@Suite("What doctor finds")
struct DoctorTests {
    private func machine(files: Int? = 200_000, _ proc: [String: String]) -> [String: Finding.Level] {
        let findings = MachineChecks(openFiles: files) { proc[$0] }.findings()
        for finding in findings where finding.level != .ok {
            #expect(!finding.why.isEmpty && !finding.advice.isEmpty)
        }
        return Dictionary(findings.map { ($0.check, $0.level) }) { $1 }
    }

    @Test(arguments: [(1_000_000, Finding.Level.ok), (102_400, .ok), (20_000, .warn), (512, .fail)])
    func `about open files`(limit: Int, level: Finding.Level) {
        #expect(machine(files: limit, [:]) == ["open files": level])
    }

    @Test(arguments: [
        ("net/core/somaxconn", "4096\n", "somaxconn", Finding.Level.ok),
        ("net/core/somaxconn", "128\n", "somaxconn", .warn),
        ("net/ipv4/tcp_rmem", "4096\t131072\t6291456\n", "tcp_rmem", .ok),
        ("net/ipv4/tcp_wmem", "4096\t16384\t65536\n", "tcp_wmem", .warn),
        ("net/ipv4/tcp_mem", "1000000 1500000 2000000", "tcp_mem", .ok),
        ("net/ipv4/tcp_mem", "1000 1500 2000", "tcp_mem", .warn),
        ("net/ipv4/ip_local_port_range", "32768 60999", "local ports", .ok),
        ("net/ipv4/ip_local_port_range", "60000 60999", "local ports", .warn),
        ("vm/overcommit_memory", "0", "overcommit", .ok), ("vm/overcommit_memory", "2", "overcommit", .warn),
        ("net/netfilter/nf_conntrack_max", "262144", "conntrack", .ok),
        ("net/netfilter/nf_conntrack_max", "1000", "conntrack", .warn),
    ])
    func `about the kernel`(setting: String, value: String, check: String, level: Finding.Level) {
        #expect(machine(files: nil, ["/proc/sys/" + setting: value]) == [check: level])
    }

    @Test func `is nothing where a setting is missing or strange`() {
        #expect(
            machine(files: nil, ["/proc/sys/net/core/somaxconn": "much", "/proc/sys/net/ipv4/tcp_mem": "1"]) == [:]
        )
    }

    private static let mounts = """
        22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
        23 22 0:20 / /srv rw - nfs4 host:/srv rw
        24 23 0:21 / /srv/with\\040space rw shared:9 master:3 - tmpfs tmpfs rw
        25 22 0:22 / /srv2 rw - overlay overlay rw
        """

    @Test(arguments: [
        ("/var/lib", "ext4", Finding.Level.ok), ("/srv/apus", "nfs4", .warn), ("/srv", "nfs4", .warn),
        ("/srv/with space/x", "tmpfs", .warn), ("/srv2/a", "overlay", .warn), ("/srvother", "ext4", .ok),
    ])
    func `about the file system of a folder`(path: String, kind: String, level: Finding.Level) {
        #expect(DiskChecks.kind(of: path, mounts: Self.mounts) == kind)
        #expect(DiskChecks.judge(kind: kind).level == level)
    }

    @Test(arguments: [
        (100 << 30, 200 << 30, Finding.Level.ok), (5 << 30, 200 << 30, .warn), (500 << 20, 1 << 30, .warn),
        (50 << 20, 1 << 30, .fail),
    ])
    func `about room`(free: Int, size: Int, level: Finding.Level) {
        #expect(DiskChecks.judge(.init(free: free, size: size, freeFiles: nil)).level == level)
        #expect(DiskChecks.judge(.init(free: 100 << 30, size: 200 << 30, freeFiles: 10)).level == .warn)
    }

    @Test func `about flushes is what most of them take`() {
        #expect(DiskChecks.flush([.milliseconds(1), .seconds(1), .milliseconds(2)])?.level == .ok)
        #expect(DiskChecks.flush([.milliseconds(30), .milliseconds(20), .milliseconds(10)])?.level == .warn)
        #expect(DiskChecks.flush([]) == nil)
    }

    @Test(arguments: [
        (0.0, Finding.Level.ok), (1.5, .ok), (-1.5, .ok), (10, .warn), (-10, .warn), (3600, .fail), (-3600, .fail),
    ])
    func `about the clock`(ahead: Double, level: Finding.Level) {
        // 10:00:00 UTC.
        let server = 1_796_032_800.0
        let finding = ServerChecks.clock("Mon, 30 Nov 2026 10:00:00 GMT", now: server + 0.5 - ahead, roundTrip: 0)
        #expect(finding.level == level, "\(finding.found)")
        #expect(ServerChecks.clock("yesterday", now: server, roundTrip: 0).level == .ok)
    }

    @Test func `about the certificate and the version`() {
        #expect(ServerChecks.certificate(endsAt: 100 * 86_400, now: 0).level == .ok)
        #expect(ServerChecks.certificate(endsAt: 5 * 86_400, now: 0).level == .warn)
        #expect(ServerChecks.certificate(endsAt: nil, now: 0).level == .ok)
        #expect(ServerChecks.version("1.0.0", program: "1.0.0").level == .ok)
        #expect(ServerChecks.version("1.1.0", program: "1.0.0").level == .warn)
        #expect(ServerChecks.version(nil, program: "1.0.0").level == .ok)
    }

    private static let probes: [(Duration?, Bool, Finding.Level)] = [
        (.milliseconds(5), true, .ok), (.seconds(3), true, .fail), (nil, true, .fail), (nil, false, .fail),
        (.milliseconds(5), false, .ok),
    ]

    @Test(arguments: probes)
    func `about proxies`(first: Duration?, isDirect: Bool, level: Finding.Level) {
        let headers: HTTPHeaders = isDirect ? ["X-Accel-Buffering": "no"] : [:]
        let probe = StreamProbe(status: 200, headers: headers, head: .milliseconds(2), firstBytes: first)
        let finding = ServerChecks.stream(probe)
        #expect(finding.level == level)
        #expect(finding.found.contains("a proxy is in between") == !isDirect)
    }

    @Test func `about what cuts a stream names the settings`() {
        #expect(ServerChecks.held("idle stream", cutAfter: nil, .seconds(5)).level == .ok)
        let cut = ServerChecks.held("idle stream", cutAfter: .seconds(2), .seconds(5))
        #expect(cut.level == .fail && cut.found.contains("cut after 2.00 s"))
        #expect(cut.advice.contains("proxy_read_timeout"))
    }

    @Test func `is written as text and as JSON`() {
        let findings = [
            Finding.ok(.machine, "a", "fine"),
            .fail(.machine, "long name", "bad\u{1B}", why: "because", advice: "do it"),
        ]
        let text = FindingText.text("title", findings)
        #expect(text.contains("  ok    a          fine\n"))
        #expect(text.contains("bad\\u{1b}\n") && text.contains("why: because\n") && text.contains("do:  do it\n"))
        #expect(FindingText.text("title", []) == "")
        let json = JSONText(parsing: FindingText.json(findings))?.members
        #expect(json?["ok"]?.text == "false" && json?["findings"]?.elements?.count == 2)
        #expect(FindingText.summary(findings) == "1 failure, 0 warnings\n")
        #expect(FindingText.summary([]) == "all is well\n")
    }
}
