import ApusClient
import ApusProtocol
import Foundation

/// Publishes messages and waits for their acks, many at a time.
///
/// At most `window` messages are unanswered. Each holds a permit, which its answer returns. So the window bounds
/// memory, whatever the input's size.
struct Publisher: Sendable {
    static let maxLineBytes = 16 << 20
    static let window = 256

    enum Source: Sendable {
        case single(String, id: String?)
        case lines(LineReader)
    }

    /// A message that was sent, or the reason why it was not.
    private enum Sent: Sendable {
        case receipt(line: Int, ApusClient.Receipt)
        case refused(line: Int, reason: String)
    }

    let client: ApusClient
    let topic: String
    let rule: PayloadRule
    var key: String?
    var timeToLive: Duration?
    /// Called with each outcome, in the order of the messages. If set, outcomes are requested from the server.
    var onOutcome: (@Sendable (ApusClient.Outcome) async throws -> Void)?

    /// Publishes everything, and returns when all messages are answered.
    ///
    /// Throws if continuing is useless: the topic does not exist, access is denied, or the connection is lost.
    func publish(_ source: Source) async throws -> PublishProgress {
        let (permits, answered) = AsyncStream.makeStream(of: Void.self)
        let (sent, sending) = AsyncStream.makeStream(of: Sent.self)
        for _ in 0..<Self.window { answered.yield() }
        return try await withThrowingTaskGroup(of: PublishProgress?.self) { group in
            group.addTask {
                defer { sending.finish() }
                var permits = permits.makeAsyncIterator()
                try await send(source, permits: &permits, to: sending)
                return nil
            }
            group.addTask { try await collect(sent, from: source, answered) }
            var progress = PublishProgress()
            // The first error ends the other task too.
            while let finished = try await group.next() { progress = finished ?? progress }
            return progress
        }
    }

    // MARK: Sending

    private func send(
        _ source: Source,
        permits: inout AsyncStream<Void>.Iterator,
        to sent: AsyncStream<Sent>.Continuation
    ) async throws {
        switch source {
        case .single(let payload, let id):
            sent.yield(try publish(line: 1, payload: payload, id: id))
        case .lines(var lines):
            do {
                while let line = try await lines.next() {
                    let text = line.text
                    if text?.allSatisfy(\.isWhitespace) == true { continue }
                    await permits.next()
                    try Task.checkCancellation()
                    guard let text else {
                        sent.yield(.refused(line: line.number, reason: "not UTF-8"))
                        continue
                    }
                    sent.yield(try publish(line: line.number, payload: text, id: nil))
                }
            } catch let error as LineReader.TooLong {
                let reason = "longer than 16 MiB; what follows was not published"
                sent.yield(.refused(line: error.number, reason: reason))
            }
        }
    }

    private func publish(line: Int, payload: String, id: String?) throws -> Sent {
        guard let payload = rule.payload(for: payload) else { return .refused(line: line, reason: "not JSON") }
        do throws(ClientError) {
            let receipt = try client.enqueue(
                topic,
                payload,
                id: id,
                key: key,
                ttl: timeToLive,
                wantsOutcome: onOutcome != nil
            )
            return .receipt(line: line, receipt)
        } catch {
            // A message that is known to be too large, for example, fails alone.
            if Self.isFinal(error) { throw error }
            return .refused(line: line, reason: CommandFailure(endedBy: error).message)
        }
    }

    // MARK: Answers

    private func collect(
        _ sent: AsyncStream<Sent>,
        from source: Source,
        _ answered: AsyncStream<Void>.Continuation
    ) async throws -> PublishProgress {
        var progress = PublishProgress()
        for await message in sent {
            switch message {
            case .refused(let line, let reason):
                progress.refuse(line: line, reason: reason)
            case .receipt(let line, let receipt):
                do {
                    let outcome = try await receipt.outcome()
                    progress.acked()
                    try await onOutcome?(outcome)
                } catch let error as ClientError {
                    let failure = failure(for: error, line: line, progress, source)
                    if Self.isFinal(error) { throw failure }
                    progress.refuse(line: line, reason: failure.message)
                }
            }
            answered.yield()
        }
        return progress
    }

    /// Whether all remaining messages would fail with the same error.
    static func isFinal(_ error: ClientError) -> Bool {
        guard error.code == .refused, let code = error.problem?.code else { return true }
        return [ErrorCode.topicNotFound.rawValue, ErrorCode.unauthorized.rawValue, ErrorCode.forbidden.rawValue]
            .contains(code)
    }

    private func failure(
        for error: ClientError,
        line: Int,
        _ progress: PublishProgress,
        _ source: Source
    ) -> CommandFailure {
        let failure = CommandFailure(endedBy: error)
        guard case .lines = source, error.problem?.code == nil, error.code != .cancelled else { return failure }
        return CommandFailure(
            "\(failure.message); \(progress.published) published, the first unanswered is line \(line)",
            exitCode: failure.exitCode
        )
    }
}
