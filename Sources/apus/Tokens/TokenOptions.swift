import ApusAccess
import ApusClient
import ArgumentParser
import NIOCore

extension TokenAlgorithm: ExpressibleByArgument {}

/// The key of a token: a file, and the algorithm that it is for.
struct TokenKeyOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A file with a key in PEM, or with a secret for HS256 to HS512.", valueName: "path"))
    var keyFile: String?

    @Option(help: ArgumentHelp("The algorithm that the key is for.", valueName: "name"))
    var alg: TokenAlgorithm?

    @Option(help: ArgumentHelp("The key's name.", valueName: "name"))
    var kid: String?

    /// The key; `nil` when no file is given.
    func key() async throws -> TokenKey? {
        switch (keyFile, alg) {
        case (nil, nil): return nil
        case (let path?, let alg?):
            do {
                return try await TokenKey(kid: kid, algorithm: alg, path: path)
            } catch {
                throw CommandFailure("'\(path)': \(error.reason)", exitCode: .badConfiguration)
            }
        default: throw CommandFailure("--key-file and --alg go together", exitCode: .usage)
        }
    }
}

/// Where a token comes from. Not only from the arguments, which other users of the machine can see.
struct TokenSource: ParsableArguments {
    @Argument(help: "The token; standard input without it.")
    var token: String?

    @Option(help: ArgumentHelp("A file with the token.", valueName: "path"))
    var tokenFile: String?

    @Option(help: ArgumentHelp("The claim with the rights.", valueName: "name"))
    var claim = TokenPolicy().claim

    func text() async throws -> String {
        switch (token, tokenFile) {
        case (let token?, nil) where token != "-": return token
        case (nil, let path?):
            do {
                return try StructuredFile.text(of: path, limit: CompactToken.maximumSize + 2).trimmedEnd
            } catch {
                throw CommandFailure("'\(path)': \(error.reason)")
            }
        case (_?, _?): throw CommandFailure("give the token or --token-file, not both", exitCode: .usage)
        default:
            var input = ByteBuffer()
            while input.readableBytes <= CompactToken.maximumSize + 2, let chunk = try await StandardInput.read() {
                input.writeImmutableBuffer(chunk)
            }
            return String(buffer: input).trimmedEnd
        }
    }
}
