import ApusClient
import ApusProtocol
import Foundation
import NIOCore
import NIOHTTP1

/// Looks at a server, and at what is between it and here.
struct ServerChecks: Sendable {
    static let patience = TimeAmount.seconds(5)

    let address: ServerAddress
    let credential: Credential
    /// Whether somebody named the server. The default one need not be there.
    let isNamed: Bool
    /// How long streams are held open, if that is asked for.
    var idle: Duration?

    func findings() async throws -> [Finding] {
        let rest = RESTClient(address: address.speaking(.base), credential: credential, timeout: Self.patience)
        let (answer, seconds): (RESTResponse, Double)
        do {
            let before = ContinuousClock.now
            answer = try await rest.send(.GET, "/health")
            seconds = (ContinuousClock.now - before) / .seconds(1)
        } catch {
            return [Self.unreachable(error, isNamed: isNamed)]
        }
        let now = Date().timeIntervalSince1970
        var findings = [Self.answers(answer, seconds: seconds)]
        guard findings[0].level != .fail else { return findings }
        findings.append(Self.version(try? await serverVersion(rest)))
        if let date = answer.headers.first(name: "Date") {
            findings.append(Self.clock(date, now: now, roundTrip: seconds))
        }
        if address.isSecure { findings.append(await certificate()) }
        let (socket, stream) = (await webSocket(), await stream(rest))
        findings += [socket.finding, stream.finding]
        if let idle {
            async let heldSocket = socket.isOpen ? heldWebSocket(for: idle) : nil
            async let heldStream = stream.isOpen ? heldStream(rest, for: idle) : nil
            findings += [await heldSocket, await heldStream].compactMap { $0 }
        }
        return findings
    }

    private static func unreachable(_ error: ClientError, isNamed: Bool) -> Finding {
        guard isNamed else {
            return .warn(
                .server,
                "answer",
                error.message,
                why: "no server was named, and there is none at the default address: nothing about it was checked",
                advice: "name one with --url, APUS_URL or --context, or start one with: apus serve"
            )
        }
        let isTLS = error.code == .untrusted
        return .fail(
            .server,
            "answer",
            error.message,
            why: isTLS ? "clients refuse a server whose certificate they do not trust" : "no client can reach it",
            advice: isTLS
                ? "renew the certificate, or name a private authority with --ca"
                : "check the address, that the server runs, and firewalls in between"
        )
    }

    private static func answers(_ answer: RESTResponse, seconds: Double) -> Finding {
        let isApus = (200..<300).contains(answer.status) && (try? answer.decode(Health.self)) != nil
        if isApus { return .ok(.server, "answer", "after \(Figures.time(us: seconds * 1e6))") }
        if answer.status == 401 || answer.status == 403 {
            return .warn(
                .server,
                "answer",
                "the server refuses the credential (\(answer.status))",
                why: "what needs a credential was not checked",
                advice: "give the right one with --api-key, --token-file or --context, or none"
            )
        }
        return .fail(
            .server,
            "answer",
            "status \(answer.status) at /health, and not what an Apus server says",
            why: "there is another server at this address, or a proxy that does not reach Apus",
            advice: "check the address and its path; behind a prefix, set base_path to it"
        )
    }

    // MARK: Version and clock

    private func serverVersion(_ rest: RESTClient) async throws -> String? {
        struct Service: Decodable { var version: String }
        struct Document: Decodable { var info: Service }
        // Servers before the console had nothing at their own address.
        if let version = try? await rest.send(.GET, "/", headers: [("Accept", "application/json")]).decode(Service.self)
        {
            return version.version
        }
        return try await rest.get("/openapi.json").decode(Document.self).info.version
    }

    static func version(_ server: String?, program: String = apusVersion) -> Finding {
        guard let server else { return .ok(.server, "version", "it does not say; this program is \(program)") }
        guard server != program else { return .ok(.server, "version", server) }
        return .warn(
            .server,
            "version",
            "\(server), and this program is \(program)",
            why: "a command may use what the server does not have, or the other way round",
            advice: "use the same version on both sides"
        )
    }

    /// - Parameters:
    ///   - date: the header field, in whole seconds.
    ///   - now: when the answer came, in seconds since 1970.
    static func clock(_ date: String, now: Double, roundTrip: Double) -> Finding {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(secondsFromGMT: 0)
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        guard let server = format.date(from: date)?.timeIntervalSince1970 else {
            return .ok(.server, "clock", "its Date cannot be read: \(date)")
        }
        // The header has no fractions: half a second is its middle.
        let difference = server + 0.5 - (now - roundTrip / 2)
        let size = abs(difference)
        let found =
            "\(String(format: "%.0f", size.rounded())) s \(difference < 0 ? "behind" : "ahead of") this machine's"
        guard size > 2 + roundTrip else { return .ok(.server, "clock", "like this machine's") }
        let why = "tokens begin and end too early or too late, and --since with a time means another one"
        let advice = "set both clocks by NTP: timedatectl set-ntp true"
        return size > 60
            ? .fail(.server, "clock", found, why: why, advice: advice)
            : .warn(.server, "clock", found, why: why, advice: advice)
    }

    private func certificate() async -> Finding {
        do {
            let end = try await address.certificateEnd(patience: Self.patience)
            return Self.certificate(endsAt: end, now: Date().timeIntervalSince1970)
        } catch {
            return .warn(
                .server,
                "certificate",
                error.message,
                why: "whether it ends soon is not known",
                advice: "look at it with: openssl s_client -connect \(address.authority)"
            )
        }
    }

    static func certificate(endsAt end: Int?, now: Double) -> Finding {
        guard let end else { return .ok(.server, "certificate", "it does not say when it ends") }
        let days = Int((Double(end) - now) / 86_400)
        let found = "ends in \(counted(days, "day")), at \(Timestamp(milliseconds: Int64(end) * 1000))"
        guard days < 14 else { return .ok(.server, "certificate", found) }
        return .warn(
            .server,
            "certificate",
            found,
            why: "after that no client connects any more",
            advice: "renew it; the server takes a new file by itself"
        )
    }
}
