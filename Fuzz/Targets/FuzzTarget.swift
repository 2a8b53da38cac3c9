/// A part of Apus that reads what strangers write, and what must hold whatever they write.
struct FuzzTarget: Sendable {
    /// What a target found out about some bytes: nothing, or the invariant that they break.
    typealias Check = (UnsafeRawBufferPointer) throws -> Void

    /// The name of its corpus and its dictionary.
    let name: String
    /// Makes what the checks share. They stay on the thread that this is called on.
    let prepare: @Sendable () throws -> Check

    static let all: [FuzzTarget] = [
        .commandScanner, .configuration, .filters, .frames, .keyFiles, .proxyHeaders, .records, .requestHead, .rights,
        .tokens,
    ]
}

/// An invariant that an input breaks.
struct Broken: Error, CustomStringConvertible {
    let invariant: String

    var description: String { "broken: \(invariant)" }
}

func require(_ condition: Bool, _ invariant: @autoclosure () -> String) throws {
    guard condition else { throw Broken(invariant: invariant()) }
}
