import { definePackage } from "../../tools/build/define-package.ts";

export default definePackage();
