// GetConnection by the AWS SDK for JavaScript v3, 64 in flight; one in ten is gone.
// node probes.mjs GATEWAY_URL COUNT prints one JSON object.
import {
  ApiGatewayManagementApiClient,
  GetConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { Agent } from "node:https";

const [endpoint, count] = [process.argv[2], Number(process.argv[3])];
const client = new ApiGatewayManagementApiClient({
  endpoint,
  region: "eu-west-1",
  requestHandler: new NodeHttpHandler({
    httpsAgent: new Agent({ keepAlive: true, maxSockets: 64 }),
  }),
});

let next = 0;
async function worker() {
  while (next < count) {
    const n = next++;
    const id = `${n % 10 ? "R" : "Z"}${String(n).padStart(10, "0")}AAHw=`;
    try {
      await client.send(new GetConnectionCommand({ ConnectionId: id }));
    } catch (error) {
      if (error.name !== "GoneException") throw error;
    }
  }
}

const started = performance.now();
const startedCpu = process.cpuUsage();
await Promise.all(Array.from({ length: 64 }, worker));
const seconds = (performance.now() - started) / 1000;
const cpu = process.cpuUsage(startedCpu);
console.log(JSON.stringify({
  per_second: count / seconds,
  cpu_us: (cpu.user + cpu.system) / count,
}));
