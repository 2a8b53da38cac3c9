import ApusProtocol
import HTTPTypes

extension Handshake {
    /// Why a handshake is refused, or a request that should have been one.
    enum Refusal: Error, Equatable {
        case notUpgrading
        case unsupportedVersion
        case malformed(String)
        case unauthorized(Problem)
        case foreign(SitePolicy.Refusal)
        case draining
        /// The connection limit is reached. The value is the limit.
        case tooMany(Int)
        /// The client's address has all the connections that it may have.
        case tooManyOfAddress(AddressBudget.Exceeded)
        /// The request's head was not complete in time.
        case timedOut

        /// The kinds of refusals, used as a metric label.
        enum Reason: String, CaseIterable {
            case noUpgrade = "no_upgrade"
            case version
            case malformed
            case unauthorized
            case origin
            case host
            case draining
            case maxConnections = "max_connections"
            case connectionsPerAddress = "connections_per_address"
            case timeout
        }

        var reason: Reason {
            switch self {
            case .notUpgrading: .noUpgrade
            case .unsupportedVersion: .version
            case .malformed: .malformed
            case .unauthorized: .unauthorized
            case .foreign(.foreignOrigin): .origin
            case .foreign(.foreignHost): .host
            case .draining: .draining
            case .tooMany: .maxConnections
            case .tooManyOfAddress: .connectionsPerAddress
            case .timedOut: .timeout
            }
        }

        var problem: Problem {
            switch self {
            case .notUpgrading:
                Self.upgradeRequired(
                    "This is a WebSocket endpoint: connect with a WebSocket client, to ws:// or wss://"
                )
            case .unsupportedVersion:
                Self.upgradeRequired("Only WebSocket version 13 is spoken here")
            case .malformed(let text):
                Problem(.badRequest, text)
            case .unauthorized(let problem):
                problem
            case .foreign(let refusal):
                refusal.problem
            case .draining:
                Problem.unavailable("The server is shutting down")
            case .tooMany(let limit):
                Problem.unavailable("The limit of \(counted(limit, "connection")) is reached")
            case .tooManyOfAddress(let exceeded):
                exceeded.problem
            case .timedOut:
                Problem(.requestTimeout, "The request was not complete in time")
            }
        }

        private static func upgradeRequired(_ text: String) -> Problem {
            Problem(
                .upgradeRequired,
                text,
                headers: [(.upgrade, "websocket"), (.connection, "Upgrade"), (.secWebSocketVersion, "13")]
            )
        }
    }
}
