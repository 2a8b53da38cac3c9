/// What the server does for one method of an endpoint. Named like the `operationId` in the OpenAPI document.
enum Operation: String, Sendable, CaseIterable {
    case listTopics, createTopic, inspectTopic, putTopic, deleteTopic
    case publishMessage, readMessages, purgeTopic
    case followTopic, followTopics
    case listTopicSubscribers, listSubscribers
    case getHealth, getStats, getCluster
    case listRevocations, revoke, deleteRevocation
    case traceMessage, kickConnection, getAccess, checkAccess, listKeys
    case openWebSocket
    case getLiveness, getReadiness, getMetrics
    case getClient, getClientTypes
    case getDocs, getDocsScript, getDocsStyle, getOpenAPI, getAsyncAPI
    case getService, getConsoleFile
    case followConsole, getConsoleTopics, getConsoleSample, getConsoleLog
}
