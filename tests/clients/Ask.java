import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.zip.GZIPOutputStream;

/** The JDK's HttpClient against a scorer: java Ask.java ADDRESS ROW HTTP_1_1|HTTP_2 -> a line for each request. */
public class Ask {
  static String address;

  static void ask(HttpClient client, String name, String coding, BodyPublisher body) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(address + "/score")).POST(body);
    request.header("Content-Type", "application/json");
    if (!coding.isEmpty()) request.header("Content-Encoding", coding);
    var answer = client.send(request.build(), BodyHandlers.ofString());
    System.out.println(name + "\t" + answer.statusCode() + "\t" + answer.body().strip());
  }

  public static void main(String[] arguments) throws Exception {
    address = arguments[0];
    byte[] row = arguments[1].getBytes("UTF-8");
    var packed = new ByteArrayOutputStream();
    try (var out = new GZIPOutputStream(packed)) {
      out.write(row);
    }
    var client = HttpClient.newBuilder().version(HttpClient.Version.valueOf(arguments[2])).build();
    ask(client, "first", "", BodyPublishers.ofByteArray(row));
    ask(client, "again", "", BodyPublishers.ofByteArray(row));
    ask(client, "chunked", "", BodyPublishers.fromPublisher(BodyPublishers.ofByteArray(row)));
    ask(client, "gzip", "gzip", BodyPublishers.ofByteArray(packed.toByteArray()));
  }
}
