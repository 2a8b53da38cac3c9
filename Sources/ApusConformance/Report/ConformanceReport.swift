import ApusProtocol

/// The results of a run, for people and for programs.
package struct ConformanceReport: Sendable {
    private let subject: String
    private let results: [ConformanceResult]

    package init(subject: String, results: [ConformanceResult]) {
        self.subject = subject
        self.results = results
    }

    private func count(_ matches: (ConformanceResult.Outcome) -> Bool) -> Int {
        results.count { matches($0.outcome) }
    }

    package var passed: Int { count { $0 == .passed } }
    package var failed: Int {
        count { outcome in
            if case .failed = outcome { true } else { false }
        }
    }
    package var skipped: Int { results.count - passed - failed }
    /// Whether something was checked and nothing failed.
    package var isConformant: Bool { failed == 0 && passed > 0 }

    /// The last line for people.
    package var summary: String { "\(passed) passed, \(failed) failed, \(skipped) skipped" }

    // MARK: For programs

    package var json: String {
        let checks = results.map { result in
            JSONWriter.object { writer in
                writer.member("name", result.name)
                writer.member("group", result.group)
                writer.member("section", result.section)
                writer.member("expects", result.expects)
                writer.member("outcome", result.outcome.word)
                if let detail = result.outcome.detail { writer.member("detail", detail) }
                writer.member("ms", result.duration.milliseconds)
            }
        }
        return JSONWriter.object { writer in
            writer.member("subject", subject)
            writer.member("conformant", isConformant)
            writer.member("passed", passed)
            writer.member("failed", failed)
            writer.member("skipped", skipped)
            writer.member("checks", json: "[\(checks.joined(separator: ","))]")
        } + "\n"
    }

    /// The form that CI systems read.
    package var junit: String {
        let cases = results.map { result in
            let head =
                "    <testcase classname=\(Self.xml(result.group)) name=\(Self.xml(result.name))"
                + " time=\"\(Double(result.duration.milliseconds) / 1000)\""
            return switch result.outcome {
            case .passed: "\(head)/>\n"
            case .failed(let what):
                "\(head)>\n      <failure message=\(Self.xml(what))>"
                    + "\(Self.escaped("\(result.expects) (\(result.section))"))</failure>\n    </testcase>\n"
            case .skipped(let why): "\(head)>\n      <skipped message=\(Self.xml(why))/>\n    </testcase>\n"
            }
        }.joined()
        let counts = "tests=\"\(results.count)\" failures=\"\(failed)\" errors=\"0\" skipped=\"\(skipped)\""
        let seconds = Double(results.map(\.duration.milliseconds).reduce(0, +)) / 1000
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites>
              <testsuite name=\(Self.xml("apus conformance of \(subject)")) \(counts) time="\(seconds)">
            \(cases)  </testsuite>
            </testsuites>

            """
    }

    private static func xml(_ text: String) -> String { "\"\(escaped(text))\"" }

    /// A text in XML, without the controls that XML cannot have.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension ConformanceResult.Outcome {
    package var word: String {
        switch self {
        case .passed: "passed"
        case .failed: "failed"
        case .skipped: "skipped"
        }
    }

    /// What is wrong, or why it was not made.
    package var detail: String? {
        switch self {
        case .passed: nil
        case .failed(let text), .skipped(let text): text
        }
    }
}

extension Duration {
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
