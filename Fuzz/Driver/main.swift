// The program around which `Fuzz/run` builds libFuzzer: APUS_FUZZ_TARGET names what is fuzzed, the arguments are
// libFuzzer's.

import Glibc

/// libFuzzer's own `main`, which calls `body` with each input.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private let check = prepared()

@MainActor private func prepared() -> FuzzTarget.Check {
    let name = getenv("APUS_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        fatalError("APUS_FUZZ_TARGET is none of \(FuzzTarget.all.map(\.name).joined(separator: ", "))")
    }
    do {
        return try target.prepare()
    } catch {
        fatalError("\(name) cannot be prepared: \(error)")
    }
}

/// Called on the main thread, like everything here.
private func checkOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let address = UInt(bitPattern: start)
    MainActor.assumeIsolated {
        do {
            try check(UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: count))
        } catch {
            // Stops the process, which libFuzzer takes as a finding and keeps the input of.
            fatalError("\(error)")
        }
    }
    return 0
}

private func run() -> CInt {
    var count = CommandLine.argc
    var arguments = CommandLine.unsafeArgv
    return runDriver(&count, &arguments, checkOne)
}

exit(run())
