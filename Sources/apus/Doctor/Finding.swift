import ApusClient
import ApusProtocol
import Foundation

/// What `apus doctor` found out about one thing.
struct Finding: Equatable, Sendable {
    enum Level: String, Sendable {
        case ok, warn, fail
    }

    /// What is looked at: this machine, the folder, a cluster's NATS servers, or the server.
    enum Area: String, CaseIterable, Sendable {
        case machine, data, nats, server
    }

    let area: Area
    let check: String
    let level: Level
    /// What is there.
    let found: String
    /// Why it matters, and what to do; empty where all is well.
    let why: String
    let advice: String

    static func ok(_ area: Area, _ check: String, _ found: String) -> Finding {
        Finding(area: area, check: check, level: .ok, found: found, why: "", advice: "")
    }

    static func warn(_ area: Area, _ check: String, _ found: String, why: String, advice: String) -> Finding {
        Finding(area: area, check: check, level: .warn, found: found, why: why, advice: advice)
    }

    static func fail(_ area: Area, _ check: String, _ found: String, why: String, advice: String) -> Finding {
        Finding(area: area, check: check, level: .fail, found: found, why: why, advice: advice)
    }
}

/// Formats findings.
enum FindingText {
    static func json(_ findings: [Finding]) -> String {
        JSONWriter.object { writer in
            writer.member("ok", !findings.contains { $0.level == .fail })
            writer.array("findings", of: findings) { writer, finding in
                writer.member("area", finding.area.rawValue)
                writer.member("check", finding.check)
                writer.member("level", finding.level.rawValue)
                writer.member("found", finding.found)
                if !finding.why.isEmpty { writer.member("why", finding.why) }
                if !finding.advice.isEmpty { writer.member("advice", finding.advice) }
            }
        } + "\n"
    }

    /// The findings of an area, below its title.
    static func text(_ title: String, _ findings: [Finding]) -> String {
        guard !findings.isEmpty else { return "" }
        let width = findings.map(\.check.count).max() ?? 0
        var text = Terminal.styled(Terminal.printable(title), .bold) + "\n"
        for finding in findings {
            let check = finding.check.padding(toLength: width, withPad: " ", startingAt: 0)
            text += "  \(mark(finding.level))  \(check)  \(Terminal.printable(finding.found))\n"
            let indent = String(repeating: " ", count: width + 10)
            if !finding.why.isEmpty { text += "\(indent)why: \(Terminal.printable(finding.why))\n" }
            if !finding.advice.isEmpty { text += "\(indent)do:  \(Terminal.printable(finding.advice))\n" }
        }
        return text
    }

    static func summary(_ findings: [Finding]) -> String {
        let warnings = findings.count { $0.level == .warn }
        let failures = findings.count { $0.level == .fail }
        if warnings == 0, failures == 0 { return "all is well\n" }
        return counted(failures, "failure") + ", " + counted(warnings, "warning") + "\n"
    }

    private static func mark(_ level: Finding.Level) -> String {
        switch level {
        case .ok: "ok  "
        case .warn: Terminal.styled("warn", .yellow)
        case .fail: Terminal.styled("FAIL", .bold)
        }
    }
}
