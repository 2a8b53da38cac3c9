import ApusServer
import ArgumentParser
import Foundation

#if NATS
import ApusNATS
#endif

/// The settings of a cluster's node, for who looks at its NATS servers without being one.
struct NATSOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Look at these NATS servers as a node of a cluster would. (env: APUS_NATS)",
            valueName: "url,..."
        )
    )
    var nats: [String] = []

    @Option(help: ArgumentHelp("The node's nats_creds. (env: APUS_NATS_CREDS)", valueName: "file"))
    var natsCreds: String?

    @Option(help: ArgumentHelp("The node's nats_ca. (env: APUS_NATS_CA)", valueName: "file"))
    var natsCa: String?

    @Option(help: ArgumentHelp("The node's nats_prefix. (env: APUS_NATS_PREFIX)", valueName: "name"))
    var natsPrefix: String?

    @Option(help: ArgumentHelp("The node's nats_replicas. (env: APUS_NATS_REPLICAS)", valueName: "n"))
    var natsReplicas: String?

    @Option(help: ArgumentHelp("The node's nats_sync_always. (env: APUS_NATS_SYNC_ALWAYS)", valueName: "on|off"))
    var natsSyncAlways: String?

    @Option(help: ArgumentHelp("The node's max_message. (env: APUS_MAX_MESSAGE)", valueName: "size"))
    var maxMessage: String?

    @Option(help: ArgumentHelp("Take the node's settings from its file. (env: APUS_CONFIG)", valueName: "file"))
    var config: String?

    /// Whether a flag or the environment names servers of NATS.
    private var isGiven: Bool { !nats.isEmpty || config != nil || ConnectionOptions.environment("APUS_NATS") != nil }

    /// What there is to find out about the NATS servers, if any are named. It waits for them.
    func findings() async throws -> [Finding] {
        guard isGiven else { return [] }
        let settings = try settings()
        guard !settings.cluster.urls.isEmpty else { return [] }
        #if NATS
        return NATSChecks(
            facts: await NATSSurvey(settings: NATSSettings(settings.cluster)).facts(),
            prefix: settings.cluster.prefix,
            replicas: settings.cluster.replicas,
            isSynced: settings.cluster.isSynced,
            acceptsUnsynced: settings.cluster.acceptsUnsynced,
            maxMessage: settings.limits.maxMessage
        ).findings()
        #else
        return [NATSChecks.withoutClient]
        #endif
    }

    private func settings() throws -> ServerConfiguration {
        var flags: [String: [String]] = nats.isEmpty ? [:] : ["nats": nats]
        let others = [
            "nats_creds": natsCreds, "nats_ca": natsCa, "nats_prefix": natsPrefix, "nats_replicas": natsReplicas,
            "nats_sync_always": natsSyncAlways, "max_message": maxMessage,
        ]
        for case (let key, let value?) in others { flags[key] = [value] }
        do throws(ConfigurationError) {
            let environment = ProcessInfo.processInfo.environment
            return try ServerConfiguration.load(flags: flags, environment: environment, file: config).configuration
        } catch {
            throw CommandFailure("\(error)", exitCode: .badConfiguration)
        }
    }
}
