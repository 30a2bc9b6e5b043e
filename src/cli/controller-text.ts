/** What `onbehalf controller --help` prints. */
export const CONTROLLER_HELP = `Run the Kubernetes controller: each Agent becomes a ServiceAccount, a Secret with its config, a Service and a
Deployment, and each MCP server it uses gets the audience that the Agent or the server says.

Usage: onbehalf controller --agent-image IMAGE [options]

Options:
  --agent-image IMAGE     Image of agents that name none. Needed
  --namespace NAME        Look at this namespace only; may be given more than once. Default: all
  --kubeconfig FILE       Default: in a pod its service account, else KUBECONFIG, ~/.kube/config
  --no-leader-elect       Work without asking whether another instance does
  --lease-namespace NAME  Where the Lease "onbehalf-controller" is, by which instances agree who works.
                          Default: the namespace of the pod, else onbehalf-system
  --concurrency N         Objects that are looked at at the same time. Default 8
  --health-port N         Serves /healthz and /readyz; 0 picks a free port. Default 8081
  --metrics-port N        Serves /metrics for Prometheus; 0 picks a free port. Default 8080
  --publish-tools         List the tools of servers with publishTools. Default: no server is asked
  --json                  Print one JSON object per line
  -h, --help              Show this help

With --publish-tools the controller itself asks servers with publishTools which tools they have, and writes names and
descriptions into their status. Whoever may write a RemoteMCPServer then chooses a URL that the controller, from its
place in the network, asks: plain http only where the object has dangerouslyAllowInsecureHTTP, and on loopback.
Servers are asked as nobody. Where they want a token, the controller can be a client of an STS, and asks it for a token
for the URL of the server (client credentials with resource):
  --discovery-issuer URL, --discovery-client-id ID, --discovery-client-secret-file FILE
The STS has to heed RFC 8707: a token is sent only if it is a JWT whose aud is this URL, or its origin, and nothing
else. Let this client have tokens only for servers whose tools all who may write a RemoteMCPServer may know.

Before: kubectl apply -k deploy/crds, and the rights of deploy/rbac. On your own machine, against the cluster of your
kubeconfig:

  onbehalf controller --agent-image registry.example.com/onbehalf/agent:1 --no-leader-elect

Then:   kubectl get oba -A
        kubectl describe oba NAME      what is wrong with it, and what to do

SIGTERM and SIGINT end it: what is under way is broken off, and the Lease is given back.
Exit codes: 0 when it was told to end, 1 when it cannot work, 2 for a wrong option.
Needs the package @kubernetes/client-node.
`;
