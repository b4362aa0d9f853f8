import java.io.*;
import java.util.*;

public class Main {
    public static void main(String[] roles) throws Exception {
        Scanner in = new Scanner(System.in);
        if (roles.length > 0) {
            String said = roles[0].equals("encode") ? Relay.encode(in.nextLong()) : "" + Relay.decode(in.nextLine());
            System.out.print(said);
            return;
        }
        String word = apart("encode", in.next());
        if (!word.matches("[ab]{0,40}")) System.exit(2);
        System.out.println(apart("decode", word));
    }

    /** What this program prints in another process, in which it has one role only. */
    static String apart(String role, String text) throws Exception {
        String path = System.getProperty("java.class.path");
        Process process = new ProcessBuilder("/usr/bin/java", "-Xmx64m", "-cp", path, "Main", role)
            .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (Writer out = process.outputWriter()) { out.write(text + "\n"); }
        String said = new String(process.getInputStream().readAllBytes());
        if (process.waitFor() != 0) System.exit(3);
        return said;
    }
}
