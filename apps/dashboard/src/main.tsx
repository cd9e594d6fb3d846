import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/page.css";
import "./styles/hosts.css";
import "./styles/charts.css";
import "./styles/intake.css";
import { render } from "preact";
import { brokerAt } from "./broker.ts";
import { BrokerClock } from "./broker-clock.ts";
import { Page } from "./page.tsx";

render(
  <Page broker={brokerAt(location.origin)} clock={new BrokerClock(Date.now)} />,
  document.getElementById("page")!,
);
