import { createRegistry, type DescFile, type DescService, type Registry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import type { ServerReflection, ServerReflectionRequest } from "@mon/proto/grpc";

/** The files of a server's services, and what they import. */
interface Files {
  readonly services: readonly DescService[];
  readonly byName: ReadonlyMap<string, DescFile>;
  readonly types: Registry;
}

/** `grpc.reflection.v1.ServerReflection`, over the files of the services that a server has. */
export function createReflectionService(
  services: readonly DescService[],
): ServiceImpl<typeof ServerReflection> {
  const all = new Set(services.flatMap((service) => [...withImports(service.file)]));
  const files: Files = {
    services,
    byName: new Map([...all].map((file) => [file.proto.name, file])),
    types: createRegistry(...all),
  };
  return {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        yield { validHost: request.host, originalRequest: request, messageResponse: answer(request, files) };
      }
    },
  };
}

function answer({ messageRequest }: ServerReflectionRequest, files: Files) {
  switch (messageRequest.case) {
    case "listServices":
      return {
        case: "listServicesResponse" as const,
        value: { service: files.services.map(({ typeName }) => ({ name: typeName })) },
      };
    case "fileByFilename":
      return fileAnswer(files.byName.get(messageRequest.value));
    case "fileContainingSymbol":
      return fileAnswer(fileOfSymbol(files.types, messageRequest.value));
    case "fileContainingExtension":
    case "allExtensionNumbersOfType":
      return notFound("this server has no extensions");
    default:
      return failure(Code.InvalidArgument, "expected a request of a known kind");
  }
}

/** The file of a service, message, enum, method or field by its full name. */
function fileOfSymbol(types: Registry, symbol: string): DescFile | undefined {
  const type = types.get(symbol);
  if (type !== undefined) return type.file;
  const dot = symbol.lastIndexOf(".");
  return dot < 0 ? undefined : types.get(symbol.slice(0, dot))?.file;
}

function fileAnswer(file: DescFile | undefined) {
  if (file === undefined) return notFound("no such file or symbol");
  return {
    case: "fileDescriptorResponse" as const,
    value: {
      fileDescriptorProto: [...withImports(file)].map(({ proto }) =>
        toBinary(FileDescriptorProtoSchema, proto),
      ),
    },
  };
}

/** A file and everything that it imports. */
function withImports(file: DescFile): ReadonlySet<DescFile> {
  const files = new Set<DescFile>();
  const visit = (visited: DescFile): void => {
    if (files.has(visited)) return;
    files.add(visited);
    visited.dependencies.forEach(visit);
  };
  visit(file);
  return files;
}

function notFound(message: string) {
  return failure(Code.NotFound, message);
}

function failure(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}
