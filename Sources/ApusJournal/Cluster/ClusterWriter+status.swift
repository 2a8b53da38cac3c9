import ApusCluster

extension ClusterWriter {
    var status: ClusterStatus {
        ClusterStatus(
            isConnected: isConnected,
            isReady: node.isReady,
            streams: node.mirrors.map { mirror in
                ClusterStatus.Stream(
                    stream: mirror.stream,
                    position: mirror.position,
                    known: mirror.known,
                    isCaughtUp: mirror.isCaughtUp
                )
            },
            notesLeftOut: node.notesLeftOut
        )
    }
}
